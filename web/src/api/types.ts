/** Short names for the bodies of the generated schema. */
import type { Problem } from "./errors";
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["MeOut"];
export type Role = Schemas["Role"];
export type Permission = Schemas["Permission"];
export type Member = Schemas["MemberOut"];
export type Invitation = Schemas["InvitationOut"];
export type InvitationLook = Schemas["InvitationLookOut"];
export type ApiKey = Schemas["ApiKeyOut"];
export type NewApiKey = Schemas["NewApiKeyOut"];
export type AuditEntry = Schemas["AuditEntryOut"];
export type Organization = Schemas["OrganizationOut"];
export type DeletedOrganization = Schemas["DeletedOrganizationOut"];
export type LoginSession = Schemas["SessionOut"];
export type Identity = Schemas["IdentityOut"];
export type PlatformOrganization = Schemas["TenantOut"];
export type Connector = Schemas["ConnectorOut"];
export type Connection = Schemas["ConnectionOut"];
export type ConnectionTest = Schemas["TestOut"];
export type Resource = Schemas["ResourceOut"];
export type Upload = Schemas["UploadOut"];
export type WarehouseTable = Schemas["TableOut"];
export type Run = Schemas["RunOut"];
export type RunState = "queued" | "running" | "success" | "failed";
export type RunDetail = Schemas["RunDetailOut"];
export type RunTask = Schemas["TaskOut"];
export type RunResult = Schemas["ResultOut"];
export type DbtResult = Schemas["DbtNodeResult"];
export type LogLine = Schemas["LogLineOut"];
export type Workflow = Schemas["WorkflowOut"];
export type Graph = Omit<Schemas["GraphOut"], "problems"> & { problems: Problem[] };
export type GraphNode = Schemas["GraphNodeOut"];
export type Revision = Schemas["RevisionOut"];
export type Schedule = Schemas["ScheduleOut"];
export type Pipeline = Schemas["PipelineOut"];
export type PipelineConfig = {
  mode: "resources" | "single_table" | "full_database";
  resources: ResourceConfig[];
  [other: string]: unknown;
};
/** The config of a node is JSON whose schema `/registry/kinds` serves; these are the parts shown. */
export interface ResourceConfig {
  name: string;
  source?: string | null;
  write_disposition: "append" | "replace" | "merge";
  primary_key: string[];
  cursor: { column: string; initial_value?: unknown } | null;
  columns?: Record<string, string>;
}
export type Transformation = Schemas["TransformationOut"];
export interface ColumnTest {
  type: "not_null" | "unique" | "accepted_values" | "relationships";
  column: string;
  severity: "error" | "warn";
  values?: string[];
  to?: string | null;
  field?: string | null;
  where?: string | null;
}
export interface SingularTest {
  name: string;
  sql: string;
  severity: "error" | "warn";
}
export interface TransformationConfig {
  sql: string;
  materialization?: "view" | "table" | "incremental" | "ephemeral";
  unique_key?: string[];
  tests?: ColumnTest[];
  singular_tests?: SingularTest[];
  strategy?: "timestamp" | "check";
  updated_at?: string | null;
  check_columns?: string[];
}
