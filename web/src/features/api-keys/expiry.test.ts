import { expect, test } from "vitest";

import { expiry } from "./expiry";

const NOW = new Date("2026-11-21T08:00:00Z");

test("days are counted from now", () => {
  expect(expiry("90", "", NOW)).toBe("2027-02-19T08:00:00.000Z");
  expect(expiry("never", "", NOW)).toBeNull();
});

test("a chosen day counts to its end where the person is", () => {
  expect(new Date(expiry("date", "2026-12-24", NOW)!).getTime()).toBe(new Date(2026, 11, 24, 23, 59, 59).getTime());
});
