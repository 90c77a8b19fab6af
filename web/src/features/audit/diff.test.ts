import { expect, test } from "vitest";

import { fieldChanges } from "./diff";

test("something new has only added fields, something deleted only removed ones", () => {
  expect(fieldChanges(null, { name: "Shop", retries: 3 })).toEqual([
    { field: "name", kind: "added", after: "Shop" },
    { field: "retries", kind: "added", after: "3" },
  ]);
  expect(fieldChanges({ name: "Shop" }, undefined)).toEqual([{ field: "name", kind: "removed", before: "Shop" }]);
});

test("equal fields are left out, also deep inside", () => {
  const before = { name: "a", config: { host: "db", port: 5432, tables: ["x", "y"] } };
  const after = { name: "a", config: { host: "db2", port: 5432, tables: ["x", "y"], ssl: true } };
  expect(fieldChanges(before, after)).toEqual([
    { field: "config.host", kind: "changed", before: "db", after: "db2" },
    { field: "config.ssl", kind: "added", after: "true" },
  ]);
});

test("lists are compared as a whole", () => {
  expect(fieldChanges({ scopes: ["a", "b"] }, { scopes: ["a"] })).toEqual([
    { field: "scopes", kind: "changed", before: '["a","b"]', after: '["a"]' },
  ]);
});

test("an empty text, an empty object, null and a missing field are four different things", () => {
  expect(fieldChanges({ a: "", b: null, c: {} }, { a: null, b: {}, d: "" })).toEqual([
    { field: "a", kind: "changed", before: '""', after: "null" },
    { field: "b", kind: "changed", before: "null", after: "{}" },
    { field: "c", kind: "removed", before: "{}" },
    { field: "d", kind: "added", after: '""' },
  ]);
});

test("nothing told is nothing changed", () => {
  expect(fieldChanges(null, null)).toEqual([]);
});
