import { describe, expect, it } from "vitest";

import { absolute, age, bytes, duration } from "./time";

const now = new Date("2026-11-21T12:00:00Z");

describe("time", () => {
  it.each([
    ["2026-11-21T11:57:00Z", "3 minutes ago"],
    ["2026-11-21T14:00:00Z", "in 2 hours"],
    ["2026-11-20T11:00:00Z", "yesterday"],
    ["2026-11-21T12:00:00Z", "now"],
  ])("age of %s is %s", (time, words) => expect(age(new Date(time), now)).toBe(words));

  it("names the zone", () => {
    expect(absolute(now, "UTC")).toBe("21 Nov 2026, 12:00:00 UTC");
    expect(absolute(now, "America/New_York")).toContain("07:00:00");
  });

  it.each([
    [0.42, "0.4 s"],
    [42.4, "42 s"],
    [200, "3 min 20 s"],
    [180, "3 min"],
    [7500, "2 h 5 min"],
  ])("%d seconds are %s", (seconds, words) => expect(duration(seconds)).toBe(words));

  it.each([
    [0, "0 B"],
    [3400, "3.4 kB"],
    [12_000_000, "12 MB"],
  ])("%d bytes are %s", (count, words) => expect(bytes(count)).toBe(words));
});
