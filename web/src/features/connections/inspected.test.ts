import { describe, expect, it } from "vitest";

import type { Drift } from "@/api/types";
import { bounds, changes, proposed } from "./inspected";

const same: Drift = { filename: "a.csv", before: ["a"], after: ["a"], added: [], missing: [], renamed: [], reordered: false, broken: [] };

describe("what was inspected", () => {
  it("names a type with the functions that lead to it", () => {
    expect(proposed({ type: "integer", functions: [] })).toBe("integer");
    expect(proposed({ type: "number", functions: [{ name: "replace", arguments: [",", "."] }] })).toBe('number, after replace(",", ".")');
  });

  it("shows bounds", () => {
    expect([bounds({ least: "1", greatest: "9" }), bounds({ least: "1", greatest: "1" }), bounds({ least: null, greatest: null })]).toEqual(["1 … 9", "1", "–"]);
  });

  it("tells every change of a header, the missing first", () => {
    expect(changes(same)).toEqual([]);
    expect(changes({ ...same, added: ["x"], missing: ["y", "z"], renamed: [{ before: "b", after: "B" }], reordered: true })).toEqual([
      "Missing: y, z.",
      "b looks like it is called B now.",
      "New: x.",
      "The columns stand in another order, which changes nothing.",
    ]);
  });
});
