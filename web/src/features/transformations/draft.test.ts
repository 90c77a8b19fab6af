import { describe, expect, it } from "vitest";

import type { GraphNode, WarehouseTable } from "@/api/types";
import { plannedSources, references, trimmed } from "./draft";

const node = (id: number, kind: string, slug: string, dataset: string): GraphNode => ({
  id, kind, slug, dataset, name: slug, inputs: [], output: "TABLE", position: null, version: 1,
});
const table = (dataset: string, name: string): WarehouseTable => ({ dataset, name, kind: "table", row_estimate: 1, columns: [] });

describe("draft", () => {
  it("offers other models and loaded tables, not itself, not dlt's own tables", () => {
    const nodes = [node(1, "pipeline", "load", "raw"), node(2, "dbt_model", "stg", "marts"), node(3, "dbt_model", "mart", "marts")];
    const tables = [table("raw", "people"), table("raw", "_dlt_loads"), table("marts", "stg"), table("other", "x")];
    expect(references(nodes, tables, 3)).toEqual(["ref('stg')", "source('raw', 'people')"]);
  });

  it("offers what pipelines will load", () => {
    expect(plannedSources([{ dataset: "raw", config: { resources: [{ name: "a" }] } }, { dataset: "raw", config: {} }])).toEqual(["source('raw', 'a')"]);
  });

  it("sends a test only the arguments of its type", () => {
    const test = { type: "unique", column: "id", severity: "warn", values: ["x"], to: "ref('a')", field: "b" } as const;
    expect(trimmed({ ...test, values: ["x"] })).toEqual({ type: "unique", column: "id", severity: "warn" });
  });
});
