import { describe, expect, it } from "vitest";

import type { FoundColumn } from "@/api/types";
import { called, changedColumn, withArgument, withProposal } from "./functions";

const found = (name: string, type: FoundColumn["type"], functions: FoundColumn["functions"] = []) => ({ name, type, functions }) as FoundColumn;

describe("functions of columns", () => {
  it("begins with what must be given, and leaves out what may be", () => {
    expect(called("replace")).toEqual({ name: "replace", arguments: ["", ""] });
    expect(called("substring")).toEqual({ name: "substring", arguments: [1] });
    const longer = withArgument(called("substring"), 1, "3");
    expect(longer.arguments).toEqual([1, 3]);
    expect(withArgument(longer, 1, "").arguments).toEqual([1]);
  });

  it("keeps texts as texts", () => {
    expect(withArgument(called("replace"), 1, "7").arguments).toEqual(["", "7"]);
    expect(withArgument(called("left"), 0, "x").arguments).toEqual(["x"]);
  });

  it("says nothing of a column that is as it is", () => {
    expect(changedColumn({ functions: [{ name: "trim" }] }, { functions: [] })).toBeNull();
    expect(changedColumn({ name: "n" }, { default: "" })).toEqual({ name: "n", default: "" });
  });

  it("takes over a proposal without what was said before", () => {
    const before = { id: { name: "key" }, who: { mask: "hash", type: "integer" as const }, other: { include: false } };
    const call = { name: "nullif", arguments: ["NA"] };
    expect(withProposal(before, [found("id", "integer", [call]), found("who", "text"), found("x", "text")])).toEqual({
      id: { name: "key", type: "integer", functions: [call] }, who: { mask: "hash" }, other: { include: false },
    });
  });
});
