/** Every address of the interface. Pages with heavy parts (graph, editor) load when first seen. */
import { createBrowserRouter, type RouteObject } from "react-router";

import { AppLayout } from "./AppLayout";
import { RouteError } from "./RouteError";
import { SignedIn, SignedOut } from "./Guards";
import { SignInPage } from "@/features/auth/SignInPage";
import { SignUpPage } from "@/features/auth/SignUpPage";
import { HomePage } from "@/features/home/HomePage";

const page = <T extends Record<string, unknown>>(load: () => Promise<T>, name: keyof T) => ({
  lazy: async () => ({ Component: (await load())[name] as React.ComponentType }),
});

const pages: RouteObject[] = [
  { index: true, Component: HomePage },
  { path: "connections", ...page(() => import("@/features/connections/ConnectionsPage"), "ConnectionsPage") },
  { path: "connections/new", ...page(() => import("@/features/connections/NewConnectionPage"), "NewConnectionPage") },
  { path: "connections/:id", ...page(() => import("@/features/connections/ConnectionPage"), "ConnectionPage") },
  { path: "pipelines", ...page(() => import("@/features/pipelines/PipelinesPage"), "PipelinesPage") },
  { path: "pipelines/new", ...page(() => import("@/features/pipelines/NewPipelinePage"), "NewPipelinePage") },
  { path: "pipelines/:id", ...page(() => import("@/features/pipelines/PipelinePage"), "PipelinePage") },
  { path: "transformations", ...page(() => import("@/features/transformations/TransformationsPage"), "TransformationsPage") },
  { path: "transformations/new", ...page(() => import("@/features/transformations/NewTransformationPage"), "NewTransformationPage") },
  { path: "transformations/:id", ...page(() => import("@/features/transformations/TransformationPage"), "TransformationPage") },
  { path: "workflows", ...page(() => import("@/features/workflows/WorkflowsPage"), "WorkflowsPage") },
  { path: "workflows/:id", ...page(() => import("@/features/workflows/WorkflowPage"), "WorkflowPage") },
  { path: "runs", ...page(() => import("@/features/runs/RunsPage"), "RunsPage") },
  { path: "runs/:dagId/:runId", ...page(() => import("@/features/runs/RunPage"), "RunPage") },
  { path: "tables", ...page(() => import("@/features/tables/TablesPage"), "TablesPage") },
  { path: "*", ...page(() => import("./NotFoundPage"), "NotFoundPage") },
];

/** Nothing is shown while the first page's code loads: it takes a moment only. */
const HydrateFallback = () => null;

export const router = createBrowserRouter([
  {
    Component: SignedOut,
    HydrateFallback,
    ErrorBoundary: RouteError,
    children: [
      { path: "sign-in", Component: SignInPage },
      { path: "sign-up", Component: SignUpPage },
    ],
  },
  {
    Component: SignedIn,
    HydrateFallback,
    ErrorBoundary: RouteError,
    children: [
      { Component: AppLayout, children: [{ ErrorBoundary: RouteError, children: pages }] },
    ],
  },
]);
