/** What pages read, as query options, one function per question. */
import { notifications } from "@mantine/notifications";

import { $api, client, invalidate, queryClient } from "./client";
import { session } from "./session";
import type { ResourceConfig, RunState } from "./types";

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
export const connectionTests = (id: number | string) =>
  $api.queryOptions("get", "/api/v1/connections/{id}/tests", byId(id));
/** What is asked at a source costs it something, and the service keeps the answer: it is asked once. */
const AT_THE_SOURCE = { staleTime: 300_000, retry: false } as const;
export const sourceSchemas = (id: number | string) =>
  $api.queryOptions("get", "/api/v1/connections/{id}/schemas", byId(id), AT_THE_SOURCE);
export const sourceColumns = (id: number | string, table: string) =>
  $api.queryOptions("get", "/api/v1/connections/{id}/columns", { params: { path: { id: Number(id) }, query: { table } } }, AT_THE_SOURCE);
export const sourcePreview = (id: number | string, table: string, limit = 50) =>
  $api.queryOptions("post", "/api/v1/connections/{id}/preview", { ...byId(id), body: { table, limit } }, AT_THE_SOURCE);
export const sourceProfile = (id: number | string, table: string, key: string[]) =>
  $api.queryOptions("post", "/api/v1/connections/{id}/profile", { ...byId(id), body: { table, key } }, AT_THE_SOURCE);
/** Rows of a resource as it stands in a form, before and after its mapping. */
export const draftPreview = (id: number | string, resource: ResourceConfig, limit = 20) =>
  $api.queryOptions("post", "/api/v1/connections/{id}/draft", { ...byId(id), body: { resource, limit } }, AT_THE_SOURCE);
export const tableComparison = (body: { dataset: string; table: string; columns: Record<string, string>; connection_id?: number | null }) =>
  $api.queryOptions("post", "/api/v1/connections/compare", { body }, AT_THE_SOURCE);
export const drift = (id: number | string, upload_id: number) =>
  $api.queryOptions("get", "/api/v1/connections/{id}/drift", { params: { path: { id: Number(id) }, query: { upload_id } } }, { retry: false });
/** Reads all of a large file: asked once, its bytes never change. */
export const inspection = (id: number) =>
  $api.queryOptions("get", "/api/v1/uploads/{id}/inspection", byId(id), { staleTime: Infinity, retry: false });
export const uploads = () => $api.queryOptions("get", "/api/v1/uploads", MANY);

export const tables = () => $api.queryOptions("get", "/api/v1/tables");
export const tableRows = (dataset: string, table: string, limit = 100) =>
  $api.queryOptions("get", "/api/v1/tables/{dataset}/{table}/rows", {
    params: { path: { dataset, table }, query: { limit } },
  });

export const rejectedReasons = (dataset: string, table: string) =>
  $api.queryOptions("get", "/api/v1/tables/{dataset}/{table}/rejected/reasons", { params: { path: { dataset, table } } });

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
/** A run may have moved it meanwhile, so it is read whenever it is looked at. */
export const pipelineState = (id: number) =>
  $api.queryOptions("get", "/api/v1/pipelines/{id}/state", byId(id), { staleTime: 0, retry: false });
export const loadedTables = (id: number) =>
  $api.queryOptions("get", "/api/v1/pipelines/{id}/tables", byId(id), { staleTime: 0 });
/** Read at the destination, which may be busy with a load: whoever looks tries again. */
export const loadedRows = (id: number, table: string, limit: number) =>
  $api.queryOptions("get", "/api/v1/pipelines/{id}/tables/{table}/rows", { params: { path: { id, table }, query: { limit } } }, { staleTime: 0, retry: false });
export const rejectedTables = (id: number) =>
  $api.queryOptions("get", "/api/v1/pipelines/{id}/rejected", byId(id), { staleTime: 0, retry: false });
/** Those that wait for somebody. Loads add to them at any time, and the navigation shows how many. */
export const pendingChanges = () =>
  $api.queryOptions("get", "/api/v1/schema-changes", { params: { query: { state: "pending", limit: 200 } } }, { refetchInterval: 60_000 });
export const backfills = (id: number) => $api.queryOptions("get", "/api/v1/workflows/{id}/backfills", byId(id));
/** Read anew every few seconds while a window is still to run. */
export const backfill = (id: number, backfill_id: number) =>
  $api.queryOptions("get", "/api/v1/workflows/{id}/backfills/{backfill_id}", { params: { path: { id, backfill_id } } }, {
    refetchInterval: ({ state }) => (state.data && state.data.completed_at !== null ? false : 3000),
  });
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
  /** What a source has stays as it is when the connection is tested. */
  tested: (id: number) =>
    Promise.all([
      queryClient.invalidateQueries({ queryKey: connection(id).queryKey }),
      queryClient.invalidateQueries({ queryKey: connections().queryKey }),
      queryClient.invalidateQueries({ queryKey: connectionTests(id).queryKey }),
    ]),
  uploads: () => invalidate("/api/v1/uploads"),
  /** Nodes, edges and schedules are seen from many places: lists, the graph, counts. */
  nodes: () => invalidate("/api/v1/pipelines", "/api/v1/transformations", "/api/v1/edges", "/api/v1/workflows"),
  schedules: () => invalidate("/api/v1/schedules"),
  pipelineState: () => invalidate("/api/v1/pipelines/{id}/state"),
  rejected: () => invalidate("/api/v1/pipelines/{id}/rejected", "/api/v1/runs"),
  schemaChanges: () => invalidate("/api/v1/schema-changes"),
  backfills: () => invalidate("/api/v1/workflows/{id}/backfills"),
  runs: () => invalidate("/api/v1/runs"),
};
