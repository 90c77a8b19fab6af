import { describe, expect, it } from "vitest";

import { csvPath, quarantined } from "./rejected";

const table = (name: string, dataset = "raw") => ({ dataset, name, kind: "table", row_estimate: null, columns: [] });
const tables = [table("orders"), table("orders__rejected"), table("others__rejected"), table("orders__rejected", "test")];

describe("rejected rows of a pipeline", () => {
  it("are of its own tables in its own dataset", () => {
    expect(quarantined({ dataset: "raw", config: { resources: [{ name: "orders" }] } }, tables)).toEqual(["orders"]);
    expect(quarantined({ dataset: "test", config: { resources: [{ name: "others" }] } }, tables)).toEqual([]);
    expect(quarantined({ dataset: "raw", config: { mode: "full_database" } }, tables)).toEqual(["orders", "others"]);
  });

  it("are downloaded as they are filtered", () => {
    expect(csvPath("raw", "a/b", {})).toBe("/api/v1/tables/raw/a%2Fb/rejected.csv");
    expect(csvPath("raw", "a", { column: "n & m", reason: undefined, run_id: "" })).toBe("/api/v1/tables/raw/a/rejected.csv?column=n+%26+m");
  });
});
