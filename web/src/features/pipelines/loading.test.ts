import { describe, expect, it } from "vitest";

import type { Connection, Connector } from "@/api/types";
import { loadingOf, offered } from "./loading";

const files = { dispositions: ["append", "replace"], strategies: [], abilities: [], guarantee: "at least once" };
const list = [{ name: "s3", loading: files }, { name: "postgres", loading: null }] as unknown as Connector[];
const known = [{ id: 1, connector: "postgres", managed: true }, { id: 2, connector: "s3", managed: false }] as Connection[];

describe("what a destination can do", () => {
  it("is told by the connector of the chosen connection, or of the managed warehouse", () => {
    expect(loadingOf("2", known, list)).toEqual(files);
    expect(loadingOf("", known, list)).toBeNull();
    expect(loadingOf("3", known, list)).toBeNull();
  });

  it("leaves the possible choices and the one that is set", () => {
    const choices = ["append", "merge", "insert"].map((value) => ({ value }));
    expect(offered(choices, files.dispositions, "merge").map(({ value }) => value)).toEqual(["append", "merge"]);
    expect(offered(choices, undefined)).toEqual(choices);
  });
});
