import { describe, expect, it } from "vitest";

import { encryptedIn, MOST_AT_ONCE, withRevealed } from "./encrypted";

const ROWS = [["enc1:a", 1, "enc1:b"], ["enc1:a", null, "plain enc1:c"]];

describe("encrypted cells", () => {
  it("are asked for once each", () => {
    expect(encryptedIn(ROWS)).toEqual(["enc1:a", "enc1:b"]);
    expect(encryptedIn([["plain", 2, null]])).toEqual([]);
  });

  it("are no more than a request takes", () => {
    expect(encryptedIn([Array.from({ length: MOST_AT_ONCE + 5 }, (_, at) => `enc1:${at}`)])).toHaveLength(MOST_AT_ONCE);
  });

  it("take their values, empty ones too, and stay where there is none", () => {
    expect(withRevealed(ROWS, ["enc1:a", "enc1:b"], ["", null])).toEqual([["", 1, "enc1:b"], ["", null, "plain enc1:c"]]);
  });
});
