/** What pages read, as query options, one function per question. */
import { notifications } from "@mantine/notifications";

import { $api, client, invalidate } from "./client";
import { session } from "./session";
import type { RunState } from "./types";

/** Pages of pickers and counts: the most the service gives at once. */
const MANY = { params: { query: { limit: 200 } } } as const;

const byId = (id: number | string) => ({ params: { path: { id: Number(id) } } });

export const me = () => $api.queryOptions("get", "/api/v1/me", undefined, { staleTime: 300_000 });

export const providers = () => $api.queryOptions("get", "/api/v1/auth/providers", undefined, { staleTime: Infinity });
export const roles = () => $api.queryOptions("get", "/api/v1/registry/roles", undefined, { staleTime: Infinity });
export const organization = () => $api.queryOptions("get", "/api/v1/organization");
export const deletedOrganizations = () => $api.queryOptions("get", "/api/v1/organizations/deleted");
export const members = () => $api.queryOptions("get", "/api/v1/members", MANY);
export const invitations = () => $api.queryOptions("get", "/api/v1/invitations", MANY);
export const apiKeys = () => $api.queryOptions("get", "/api/v1/api-keys", MANY);
export const auditState = () => $api.queryOptions("get", "/api/v1/audit/verify", undefined, { staleTime: 60_000 });
export const sessions = () => $api.queryOptions("get", "/api/v1/me/sessions");
export const identities = () => $api.queryOptions("get", "/api/v1/me/identities");
export const platformOrganizations = () => $api.queryOptions("get", "/api/v1/platform/organizations", MANY);
export const platformHealth = () => $api.queryOptions("get", "/api/v1/platform/health");

export const connectors = () =>
  $api.queryOptions("get", "/api/v1/registry/connectors", undefined, { staleTime: Infinity });
export const connections = () => $api.queryOptions("get", "/api/v1/connections", MANY);
export const connection = (id: number | string) => $api.queryOptions("get", "/api/v1/connections/{id}", byId(id));
export const resources = (id: number | string) =>
  $api.queryOptions("get", "/api/v1/connections/{id}/resources", byId(id), { staleTime: 0, retry: false });
export const uploads = () => $api.queryOptions("get", "/api/v1/uploads", MANY);

export const tables = () => $api.queryOptions("get", "/api/v1/tables");
export const tableRows = (dataset: string, table: string, limit = 100) =>
  $api.queryOptions("get", "/api/v1/tables/{dataset}/{table}/rows", {
    params: { path: { dataset, table }, query: { limit } },
  });

export interface RunFilter {
  workflow_id?: number;
  state?: RunState;
  cursor?: string;
  limit?: number;
}

export const runs = (filter: RunFilter = {}) =>
  $api.queryOptions("get", "/api/v1/runs", { params: { query: { limit: 25, ...filter } } });
export const run = (dag_id: string, run_id: string) =>
  $api.queryOptions("get", "/api/v1/runs/{dag_id}/{run_id}", { params: { path: { dag_id, run_id } } });

export const workflows = () => $api.queryOptions("get", "/api/v1/workflows", MANY);
export const graph = (id: number | string) => $api.queryOptions("get", "/api/v1/workflows/{id}/graph", byId(id));
export const revisions = (id: number) => $api.queryOptions("get", "/api/v1/workflows/{id}/revisions", byId(id));
export const schedules = (workflow_id?: number) =>
  $api.queryOptions("get", "/api/v1/schedules", { params: { query: { limit: 200, workflow_id } } });
export const pipelines = () => $api.queryOptions("get", "/api/v1/pipelines", MANY);
export const pipeline = (id: number | string) => $api.queryOptions("get", "/api/v1/pipelines/{id}", byId(id));
export const transformations = () => $api.queryOptions("get", "/api/v1/transformations", MANY);
export const transformation = (id: number | string) =>
  $api.queryOptions("get", "/api/v1/transformations/{id}", byId(id));
export const failures = (id: number, run_id?: string) =>
  $api.queryOptions("get", "/api/v1/transformations/{id}/failures", {
    params: { path: { id }, query: { run_id } },
  });

/** Ends the session here, in other tabs, and at the service. */
export async function signOut() {
  try {
    await client.POST("/api/v1/auth/logout", { body: {} });
  } catch {
    notifications.show({ color: "yellow", message: "The service could not be told; you are signed out in this browser." });
  }
  session.announceEnd();
  session.end();
}

export const changed = {
  /** Also what hangs on the person: sessions, sign-ins. */
  me: () => invalidate("/api/v1/me"),
  organization: () => invalidate("/api/v1/organization", "/api/v1/me"),
  /** A member's role is also the caller's own, and a member who goes takes the keys along. */
  members: () => invalidate("/api/v1/members", "/api/v1/invitations", "/api/v1/me", "/api/v1/api-keys"),
  apiKeys: () => invalidate("/api/v1/api-keys"),
  platform: () => invalidate("/api/v1/platform"),
  connections: () => invalidate("/api/v1/connections"),
  uploads: () => invalidate("/api/v1/uploads"),
  /** Nodes, edges and schedules are seen from many places: lists, the graph, counts. */
  nodes: () => invalidate("/api/v1/pipelines", "/api/v1/transformations", "/api/v1/edges", "/api/v1/workflows"),
  schedules: () => invalidate("/api/v1/schedules"),
  runs: () => invalidate("/api/v1/runs"),
};
