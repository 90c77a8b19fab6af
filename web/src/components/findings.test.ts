import { describe, expect, it } from "vitest";

import type { CursorProfile, KeyProfile } from "@/api/types";
import { cursorFindings, keyFinding, scope, shown } from "./findings";

const key = (changes: Partial<KeyProfile>): KeyProfile => ({
  columns: ["id"], proposed_by: "source", unique: true, duplicates: 0, nulls: 0, examples: [], ...changes,
});
const cursor = (changes: Partial<CursorProfile>): CursorProfile => ({
  column: "at", nulls: 0, ties: 0, out_of_order: 0, why_not: null, ...changes,
});

describe("findings", () => {
  it("says what was looked at and no more", () => {
    expect(scope({ rows: 100_000, complete: false })).toBe("Of the first 100,000 rows; the others were not looked at.");
    expect(scope({ rows: 1, complete: true })).toBe("Of all 1 row.");
    expect(scope({ rows: 0, complete: true })).toBe("The table is empty.");
  });

  it("calls a key unique only as far as was looked", () => {
    expect(keyFinding(key({}), true)).toBe("The primary key of the source, id, is unique.");
    expect(keyFinding(key({}), false)).toContain("as far as was looked");
  });

  it("names what speaks against a key", () => {
    const found = keyFinding(key({ proposed_by: "caller", columns: ["a", "b"], unique: false, duplicates: 4, nulls: 1 }), true);
    expect(found).toBe("Your key, a + b, is no key: doubled in 4 rows, empty in 1 row.");
  });

  it("lists what to know about a cursor", () => {
    expect(cursorFindings(cursor({}))).toEqual([]);
    expect(cursorFindings(cursor({ nulls: 2, ties: 3, out_of_order: 1, why_not: "it can be empty" }))).toHaveLength(4);
  });

  it("shows values as they are", () => {
    expect([shown(null), shown(0), shown("9007199254740993"), shown(false)]).toEqual(["–", "0", "9007199254740993", "false"]);
  });
});
