import { describe, expect, it } from "vitest";

import { kindOf, valueOf, withKind, withOperator } from "./filters";

const filter = { column: "n", op: "eq" as const, value: 3 };

describe("values of filters", () => {
  it.each([
    ["3", "number", 3],
    ["-1.5", "number", -1.5],
    ["", "number", null],
    ["x", "number", null],
    ["9007199254740993", "number", "9007199254740993"],
    ["true", "boolean", true],
    ["yes", "boolean", null],
    ["3", "text", "3"],
    ["", "text", ""],
  ] as const)("%s as %s is %s", (text, kind, value) => expect(valueOf(text, kind)).toBe(value));

  it("takes the kind from the value, else from the column", () => {
    expect([kindOf(filter), kindOf({ value: [true] }), kindOf({ value: "1" }, "bigint")]).toEqual(["number", "boolean", "text"]);
    expect([kindOf({ value: null }, "bigint"), kindOf({ value: [] }, "boolean"), kindOf({ value: null }, "uuid")]).toEqual(["number", "boolean", "text"]);
  });

  it("makes lists of values and values of lists", () => {
    const listed = withOperator(filter, "in");
    expect(listed.value).toEqual([3]);
    expect(withOperator(listed, "gt")).toEqual({ ...filter, op: "gt" });
    expect(withOperator({ ...filter, op: "in", value: [] }, "eq").value).toBeNull();
    expect(withOperator({ ...filter, value: false as boolean }, "in").value).toEqual([false]);
  });

  it("keeps what can be kept when the kind changes", () => {
    expect(withKind({ column: "n", op: "in", value: ["1", "x"] }, "number").value).toEqual([1]);
    expect(withKind(filter, "text").value).toBe("3");
    expect(withKind(filter, "boolean").value).toBeNull();
  });
});
