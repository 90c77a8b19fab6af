import { expect, test } from "vitest";

import { csvPath, moment } from "./useAuditFilter";

test("a range of days begins with the first moment of the first and ends with the last of the last", () => {
  expect(moment("2026-11-21")).toBe(new Date(2026, 10, 21).toISOString());
  expect(moment("2026-11-21", true)).toBe(new Date(2026, 10, 22).toISOString());
});

test("a day that is none filters nothing", () => {
  expect(moment("")).toBeUndefined();
  expect(moment("yesterday")).toBeUndefined();
});

test("the file has the filters of the page", () => {
  expect(csvPath({})).toBe("/api/v1/audit.csv?");
  expect(csvPath({ action: "create", user_id: 7, since: "2026-11-21T00:00:00Z", until: undefined })).toBe(
    "/api/v1/audit.csv?action=create&user_id=7&since=2026-11-21T00%3A00%3A00Z",
  );
});
