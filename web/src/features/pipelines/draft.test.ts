import { describe, expect, it } from "vitest";

import { ApiError } from "@/api/errors";
import { configOf, draftErrors, draftOf, resourceProblems, stepOf, withConfig } from "./draft";
import { proposal } from "./selection";

const orders = proposal({ source: "orders", primary_key: ["id"] });
const draft = { ...draftOf(), source: "1", name: "Shop", selection: { orders } };
const refused = (...fields: string[]) => new ApiError(422, "invalid_config", "no", null, fields.map((field) => ({ field, message: `wrong ${field}` })));

describe("a pipeline's draft", () => {
  it("keeps what the form does not know", () => {
    const config = { mode: "resources" as const, batch_size: 10, later: { a: 1 }, resources: [{ ...orders, options: { page: 2 } }] };
    expect(configOf(withConfig(config))).toMatchObject(config);
  });

  it("names tables only where all are meant", () => {
    const rest = { mode: "full_database" as const, table_names: ["a"] };
    expect(configOf({ rest, selection: {} }).table_names).toEqual(["a"]);
    expect(configOf({ rest: { ...rest, mode: "resources" }, selection: {} }).table_names).toBeUndefined();
  });

  it("says per step what is missing", () => {
    expect(draftErrors(draftOf())).toEqual({ Source: "Choose a source connection.", Resources: "Choose at least one resource.", Destination: "Give the pipeline a name." });
    expect(draftErrors(draft)).toEqual({});
    expect(draftErrors({ ...draft, rest: { mode: "single_table" }, selection: { orders, b: { ...orders, name: "b" } } })).toHaveProperty("Resources");
    expect(draftErrors({ ...draft, rest: { mode: "full_database" }, selection: {} })).toEqual({});
    expect(draftErrors({ ...draft, selection: { orders: { ...orders, primary_key: [] } } })).toEqual({ Loading: "orders: Merge needs a key" });
  });

  it("leads to the step of the first problem", () => {
    expect(stepOf(refused("dataset"))).toBe("Destination");
    expect(stepOf(refused("config.resources.0.cursor"))).toBe("Loading");
    expect(stepOf(refused("config.table_names"))).toBe("Resources");
    expect(stepOf(new ApiError(500, "internal_error", "no"))).toBeNull();
  });

  it("gives a resource its own problems", () => {
    const selection = { b: { ...orders, name: "b" }, orders };
    expect(resourceProblems(refused("config.resources.1.cursor.lag", "config.resources.1", "config.mode"), selection)).toEqual({
      orders: { "cursor.lag": "wrong config.resources.1.cursor.lag", "": "wrong config.resources.1" },
    });
    expect(resourceProblems(null, selection)).toEqual({});
  });
});
