import { describe, expect, it } from "vitest";

import type { Connection, Connector } from "@/api/types";
import { loadingOf, offered } from "./loading";

const files = { dispositions: ["append", "replace"], strategies: [], abilities: [], guarantee: "at least once" };
const lake = { ...files, dispositions: ["append", "merge", "replace"] };
const when = [{ field: "table_format", value: "delta", loading: lake }];
const list = [
  { name: "s3", loading: files, loading_when: when },
  { name: "postgres", loading: null, loading_when: [] },
] as unknown as Connector[];
const known = [
  { id: 1, connector: "postgres", managed: true, config: {} },
  { id: 2, connector: "s3", managed: false, config: {} },
  { id: 4, connector: "s3", managed: false, config: { table_format: "delta" } },
] as unknown as Connection[];

describe("what a destination can do", () => {
  it("is told by the connector of the chosen connection, or of the managed warehouse", () => {
    expect(loadingOf("2", known, list)).toEqual(files);
    expect(loadingOf("", known, list)).toBeNull();
    expect(loadingOf("3", known, list)).toBeNull();
    expect(loadingOf("4", known, list)).toEqual(lake);
  });

  it("leaves the possible choices and the one that is set", () => {
    const choices = ["append", "merge", "insert"].map((value) => ({ value }));
    expect(offered(choices, files.dispositions, "merge").map(({ value }) => value)).toEqual(["append", "merge"]);
    expect(offered(choices, undefined)).toEqual(choices);
  });
});
