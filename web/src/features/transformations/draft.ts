/** The transformation that is being edited, and what is sent of it. */
import type { ColumnTest, GraphNode, Transformation, TransformationConfig, WarehouseTable } from "@/api/types";

export interface Draft {
  id?: number;
  version?: number;
  workflow_id: number;
  kind: "dbt_model" | "dbt_snapshot";
  name: string;
  dataset: string;
  config: TransformationConfig;
}

export const newDraft = (workflow_id: number): Draft => ({
  workflow_id,
  kind: "dbt_model",
  name: "",
  dataset: "marts",
  config: { sql: "", materialization: "table", tests: [], singular_tests: [] },
});

export const draftOf = (stored: Transformation): Draft => ({
  id: stored.id,
  version: stored.version,
  workflow_id: stored.workflow_id,
  kind: stored.kind as Draft["kind"],
  name: stored.name,
  dataset: stored.dataset,
  config: stored.config as unknown as TransformationConfig,
});

export const body = ({ workflow_id, kind, name, dataset, config }: Draft) => ({
  workflow_id, kind, name, dataset, config: config as unknown as Record<string, unknown>,
});

/** A test without the arguments of other types. */
export function trimmed(test: ColumnTest): ColumnTest {
  const { type, column, severity } = test;
  if (type === "accepted_values") return { type, column, severity, values: test.values ?? [] };
  if (type === "relationships") return { type, column, severity, to: test.to ?? "", field: test.field ?? "" };
  return { type, column, severity };
}

/** Everything this transformation may read, as the calls that dbt understands. */
export function references(nodes: GraphNode[], tables: WarehouseTable[], own?: number): string[] {
  const models = nodes.filter(({ kind, id }) => kind !== "pipeline" && id !== own);
  const made = new Set(models.map(({ dataset, slug }) => `${dataset}.${slug}`));
  const loaded = nodes.filter(({ kind }) => kind === "pipeline").map(({ dataset }) => dataset);
  const sources = tables.filter(({ dataset, name }) => loaded.includes(dataset) && !made.has(`${dataset}.${name}`) && !name.startsWith("_"));
  return [
    ...models.map(({ slug }) => `ref('${slug}')`),
    ...sources.map(({ dataset, name }) => `source('${dataset}', '${name}')`),
  ];
}

/** Tables that pipelines are going to load count as sources before the first run, too. */
export function plannedSources(pipelines: { dataset: string; config: Record<string, unknown> }[]): string[] {
  return pipelines.flatMap(({ dataset, config }) =>
    ((config.resources as { name: string }[] | undefined) ?? []).map(({ name }) => `source('${dataset}', '${name}')`),
  );
}
