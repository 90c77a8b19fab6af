/** Every address of the interface. Pages with heavy parts (graph, editor) load when first seen. */
import { createBrowserRouter, Outlet, type RouteObject } from "react-router";

import type { Permission } from "@/api/types";
import { NotPermitted, Permitted } from "@/components/Permitted";

import { AppLayout } from "./AppLayout";
import { RouteError } from "./RouteError";
import { SignedIn, SignedOut } from "./Guards";
import { SignInPage } from "@/features/auth/SignInPage";
import { SignUpPage } from "@/features/auth/SignUpPage";
import { HomePage } from "@/features/home/HomePage";

const page = <T extends Record<string, unknown>>(load: () => Promise<T>, name: keyof T) => ({
  lazy: async () => ({ Component: (await load())[name] as React.ComponentType }),
});

/** Pages that need a permission say so here, also to those who type the address. */
const only = (permission: Permission, ...children: RouteObject[]): RouteObject => ({
  Component: () => <Permitted to={permission} otherwise={<NotPermitted />}><Outlet /></Permitted>,
  children,
});

const pages: RouteObject[] = [
  { index: true, Component: HomePage },
  { path: "connections", ...page(() => import("@/features/connections/ConnectionsPage"), "ConnectionsPage") },
  only("connections:write", { path: "connections/new", ...page(() => import("@/features/connections/NewConnectionPage"), "NewConnectionPage") }),
  only("connections:write", { path: "connections/consent", ...page(() => import("@/features/connections/ConsentPage"), "ConsentPage") }),
  { path: "connections/:id", ...page(() => import("@/features/connections/ConnectionPage"), "ConnectionPage") },
  { path: "pipelines", ...page(() => import("@/features/pipelines/PipelinesPage"), "PipelinesPage") },
  only("pipelines:write", { path: "pipelines/new", ...page(() => import("@/features/pipelines/NewPipelinePage"), "NewPipelinePage") }),
  { path: "pipelines/:id", ...page(() => import("@/features/pipelines/PipelinePage"), "PipelinePage") },
  { path: "transformations", ...page(() => import("@/features/transformations/TransformationsPage"), "TransformationsPage") },
  only("transformations:write", { path: "transformations/new", ...page(() => import("@/features/transformations/NewTransformationPage"), "NewTransformationPage") }),
  { path: "transformations/:id", ...page(() => import("@/features/transformations/TransformationPage"), "TransformationPage") },
  { path: "workflows", ...page(() => import("@/features/workflows/WorkflowsPage"), "WorkflowsPage") },
  { path: "workflows/:id", ...page(() => import("@/features/workflows/WorkflowPage"), "WorkflowPage") },
  { path: "runs", ...page(() => import("@/features/runs/RunsPage"), "RunsPage") },
  { path: "runs/:dagId/:runId", ...page(() => import("@/features/runs/RunPage"), "RunPage") },
  { path: "schema-changes", ...page(() => import("@/features/schema-changes/SchemaChangesPage"), "SchemaChangesPage") },
  { path: "tables", ...page(() => import("@/features/tables/TablesPage"), "TablesPage") },
  { path: "settings/organization", ...page(() => import("@/features/organization/OrganizationPage"), "OrganizationPage") },
  { path: "settings/members", ...page(() => import("@/features/members/MembersPage"), "MembersPage") },
  only("api_keys:read", { path: "settings/api-keys", ...page(() => import("@/features/api-keys/ApiKeysPage"), "ApiKeysPage") }),
  only("audit:read", { path: "settings/audit", ...page(() => import("@/features/audit/AuditPage"), "AuditPage") }),
  { path: "profile", ...page(() => import("@/features/profile/ProfilePage"), "ProfilePage") },
  { path: "platform", ...page(() => import("@/features/platform/PlatformPage"), "PlatformPage") },
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
      { path: "forgot-password", ...page(() => import("@/features/auth/ForgotPasswordPage"), "ForgotPasswordPage") },
    ],
  },
  {
    // Links of e-mails: for people who are signed in and for those who are not.
    HydrateFallback,
    ErrorBoundary: RouteError,
    children: [
      { path: "reset-password", ...page(() => import("@/features/auth/ResetPasswordPage"), "ResetPasswordPage") },
      { path: "verify-email", ...page(() => import("@/features/auth/VerifyEmailPage"), "VerifyEmailPage") },
      { path: "invitation", ...page(() => import("@/features/auth/InvitationPage"), "InvitationPage") },
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
