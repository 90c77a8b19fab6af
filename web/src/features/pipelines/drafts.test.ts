import { describe, expect, it } from "vitest";

import { ApiError } from "@/api/errors";
import type { ResourceConfig } from "@/api/types";
import { calculatedErrors, difference, refusal, tryable } from "./drafts";

describe("drafts", () => {
  it("tells a refused row with its line", () => {
    const rejected = { column: "id", reason: "not an integer", file: "a.csv", line: 3 };
    expect(refusal({ before: [], after: null, rejected })).toBe("line 3, id: not an integer");
    expect(refusal({ before: [], after: null, rejected: { ...rejected, file: null, line: null } })).toBe("id: not an integer");
    expect(refusal({ before: [], after: [], rejected: null })).toBe("");
  });

  it("tells what a load would meet in the table", () => {
    expect(difference({ column: "a", what: "new", proposed: "bigint", existing: null })).toContain("will be added");
    expect(difference({ column: "a", what: "other_type", proposed: "bigint", existing: "text" })).toContain("is text in the table");
  });

  it("does not try what is not filled in", () => {
    const config: ResourceConfig = {
      name: "t", write_disposition: "append", primary_key: [], cursor: null,
      filters: [{ column: "a", op: "eq", value: null }, { column: "a", op: "eq", value: 1 }],
      calculated: { x: { expression: " ", type: "text" }, y: { expression: "1", type: "integer" } },
    };
    expect(tryable(config).filters).toHaveLength(1);
    expect(Object.keys(tryable(config).calculated!)).toEqual(["y"]);
  });

  it("puts the place of a wrong expression at its column", () => {
    const parsed = new ApiError(422, "invalid_config", "…", null, [{ field: "resource.calculated.x", message: "line 2, column 5: this is no expression" }]);
    expect(calculatedErrors(parsed)).toEqual({ x: "line 2, column 5: this is no expression" });
    const compiled = new ApiError(422, "terminal", "resource 't', calculated.y: line 1, column 7: no column nobody");
    expect(calculatedErrors(compiled)).toEqual({ y: "line 1, column 7: no column nobody" });
    expect(calculatedErrors(new ApiError(503, "transient", "no answer"))).toEqual({});
  });
});
