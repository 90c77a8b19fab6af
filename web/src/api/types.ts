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
export type SourceTable = Schemas["SourceTableOut"];
export type SourceColumn = Schemas["SourceColumnOut"];
export type Profile = Schemas["ProfileOut"];
export type KeyProfile = Schemas["KeyProfileOut"];
export type CursorProfile = Schemas["CursorProfileOut"];
export type Upload = Schemas["UploadOut"];
export type Inspection = Schemas["InspectionOut"];
export type FoundColumn = Schemas["ColumnFoundOut"];
export type Dialect = Schemas["DialectOut"];
export type Drift = Schemas["DriftOut"];
export type DraftPreview = Schemas["DraftOut"];
export type DraftRow = Schemas["DraftRowOut"];
export type Difference = Schemas["DifferenceOut"];
export type WarehouseTable = Schemas["TableOut"];
export type RejectedRow = Schemas["RejectedRowOut"];
export type LoadedTable = Schemas["LoadedTableOut"];
export type RejectedTables = Schemas["RejectedTablesOut"];
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
export type PipelineState = Schemas["PipelineStateOut"];
export type ResourceState = Schemas["ResourceStateOut"];
export type Position = Schemas["PositionOut"];
export type StateVersion = Schemas["VersionOut"];
export type SchemaChange = Schemas["SchemaChangeOut"];
export type ColumnChange = Schemas["ColumnChangeOut"];
export type ChangeState = SchemaChange["state"];
export type SchemaPolicy = Schemas["SchemaPolicy"];
export type Backfill = Schemas["BackfillOut"];
export type BackfillPlan = Schemas["BackfillPlanOut"];
export type BackfillRequest = Schemas["BackfillIn"];
/** All of a pipeline's configuration but its resources. */
export interface PipelineSettings {
  mode: "resources" | "single_table" | "full_database";
  source_schema?: string | null;
  table_names?: string[];
  batch_size?: number;
  schema_changes?: SchemaPolicy;
  [other: string]: unknown;
}
export type PipelineConfig = PipelineSettings & { resources: ResourceConfig[] };
/** The config of a node is JSON whose schema `/registry/kinds` serves; these are the parts shown. */
export interface ResourceConfig {
  name: string;
  source?: string | null;
  write_disposition: "append" | "replace" | "merge" | "insert";
  primary_key: string[];
  merge_strategy?: "delete-insert" | "upsert" | "insert-only" | "scd2";
  cursor: Cursor | null;
  filters?: RowFilter[];
  columns?: Record<string, ColumnConfig>;
  other_columns?: "include" | "exclude";
  calculated?: Record<string, CalculatedColumn>;
  contract?: Partial<SchemaContract>;
  on_bad_row?: "fail" | "quarantine";
  max_rejected?: number;
  minimum_rows?: number;
  verify_count?: boolean;
  deletes?: "none" | "soft" | "hard";
  /** Hours; 0 is every load. */
  deletes_every?: number;
  /** Of all rows, from 0 to 1. */
  max_deleted?: number;
  [other: string]: unknown;
}
/** `lag`: seconds, for a cursor of numbers their own unit. */
export interface Cursor {
  column: string;
  initial_value?: string | number | null;
  lag?: number;
  boundary?: "inclusive" | "exclusive";
}
export type PlainValue = string | number | boolean;
/** `value` null: not filled in yet. */
export interface RowFilter {
  column: string;
  op: "eq" | "ne" | "gt" | "gte" | "lt" | "lte" | "in" | "not_in";
  value: PlainValue | PlainValue[] | null;
}
export type ContractRule = "evolve" | "freeze" | "discard_row" | "discard_value";
export type SchemaContract = Record<"tables" | "columns" | "data_type", ContractRule>;
export type ColumnType = "text" | "integer" | "number" | "boolean" | "date" | "timestamp";
export interface FunctionCall {
  name: string;
  arguments?: PlainValue[];
}
/** A column made from others of the same row. */
export interface CalculatedColumn {
  expression: string;
  type: ColumnType;
  [other: string]: unknown;
}
/** What happens to a column of the source on its way; what is absent is as the service sets it. */
export interface ColumnConfig {
  include?: boolean;
  name?: string | null;
  type?: ColumnType | null;
  functions?: FunctionCall[];
  default?: PlainValue | null;
  [other: string]: unknown;
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
