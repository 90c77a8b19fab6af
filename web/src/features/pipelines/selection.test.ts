import { describe, expect, it } from "vitest";

import { changed, chosenAs, loadedAs, others, proposal, selected, selectionErrors, settings, tableName } from "./selection";

const resource = (source: string, primary_key: string[] = []) => ({ source, primary_key });

describe("selection", () => {
  it.each([
    ["people.csv", "people"],
    ["Order Lines.CSV", "order_lines"],
    ["flights.csv.zip", "flights"],
    ["in/2024.csv", "t_2024"],
    ["orders", "orders"],
  ])("%s becomes table %s", (source, table) => expect(tableName(source)).toBe(table));

  it("proposes merge by the key, replace without one", () => {
    expect(proposal(resource("orders", ["id"]))).toMatchObject({ write_disposition: "merge", primary_key: ["id"], source: null });
    expect(proposal(resource("a.csv"))).toMatchObject({ write_disposition: "replace", source: "a.csv", name: "a" });
  });

  it("finds a stored choice by its name at the source", () => {
    expect(Object.keys(selected([proposal(resource("a.csv")), proposal(resource("b"))]))).toEqual(["a.csv", "b"]);
  });

  it("knows a file by its name without ending, and what is elsewhere", () => {
    const selection = selected([{ ...proposal(resource("orders")), source: null }, proposal(resource("gone.csv"))]);
    expect(chosenAs(selection, "orders.csv")).toBe("orders");
    expect(chosenAs(selection, "other.csv")).toBeNull();
    expect(others(selection, [resource("orders.csv")])).toEqual(["gone.csv"]);
  });

  it("refuses merge without key and two resources in one table", () => {
    const both = selected([proposal(resource("a.csv")), proposal(resource("A.csv"))]);
    expect(selectionErrors(both)).toEqual({ "a.csv": "Two resources have this table", "A.csv": "Two resources have this table" });
    const merged = changed(selected([proposal(resource("a.csv"))]), ["a.csv"], (config) => loadedAs(config, "merge"));
    expect(selectionErrors(merged)).toEqual({ "a.csv": "Merge needs a key" });
  });

  it("changes those that are meant and no others", () => {
    const both = selected([proposal(resource("a")), proposal(resource("b"))]);
    const after = changed(both, ["b"], (config) => ({ ...config, primary_key: ["id"] }));
    expect(after.a).toBe(both.a);
    expect(after.b!.primary_key).toEqual(["id"]);
  });

  it("keeps two resources of one table at the source apart", () => {
    const twice = [proposal(resource("orders")), { ...proposal(resource("orders")), name: "open_orders", source: "orders" }];
    expect(Object.values(selected(twice))).toEqual(twice);
  });

  it("takes strategy and cursor along only where they have a meaning", () => {
    const config = { ...proposal(resource("a", ["id"])), cursor: { column: "at" } };
    expect(loadedAs(config, "merge", "scd2")).toMatchObject({ merge_strategy: "scd2", cursor: null });
    expect(loadedAs(loadedAs(config, "merge", "upsert"), "append").merge_strategy).toBeUndefined();
    expect(loadedAs(config, "merge", "upsert").cursor).toEqual({ column: "at" });
    const late = { ...config, cursor: { column: "at", lag: 60 }, deletes: "soft" as const };
    expect(loadedAs(late, "merge", "upsert")).toMatchObject({ cursor: { lag: 60 }, deletes: "soft" });
    expect(loadedAs(late, "append")).toMatchObject({ cursor: { column: "at", lag: undefined }, deletes: undefined });
  });

  it("refuses a filter that is not filled in, and history needs no key", () => {
    const open = { ...proposal(resource("a")), filters: [{ column: "n", op: "gt" as const, value: null }] };
    expect(selectionErrors(selected([open]))).toEqual({ a: "Filter on n: fill it in or remove it" });
    expect(selectionErrors(selected([loadedAs(proposal(resource("a")), "merge", "scd2")]))).toEqual({});
  });

  it("says in words what is set", () => {
    const config = { ...proposal(resource("a")), columns: { who: { mask: "hash" } }, on_bad_row: "quarantine" as const };
    expect(settings(config)).toEqual(["1 column changed", "1 masked", "bad rows put aside"]);
  });
});
