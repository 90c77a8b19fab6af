/** Where the rejected rows of a pipeline are. */
import type { Pipeline, PipelineConfig, WarehouseTable } from "@/api/types";

export const SUFFIX = "__rejected";

/** The tables of a pipeline of which rows can have been put aside. */
export function quarantined(pipeline: Pick<Pipeline, "dataset" | "config">, tables: WarehouseTable[]): string[] {
  const { mode, resources = [] } = pipeline.config as PipelineConfig;
  const own = new Set(resources.map(({ name }) => name));
  return tables
    .filter(({ dataset, name }) => dataset === pipeline.dataset && name.endsWith(SUFFIX))
    .map(({ name }) => name.slice(0, -SUFFIX.length))
    .filter((name) => mode === "full_database" || own.has(name));
}

/** The address of the same rows as a file. */
export function csvPath(dataset: string, table: string, filter: Record<string, string | undefined>): string {
  const words = Object.entries(filter).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const query = new URLSearchParams(words).toString();
  return `/api/v1/tables/${encodeURIComponent(dataset)}/${encodeURIComponent(table)}/rejected.csv${query && `?${query}`}`;
}
