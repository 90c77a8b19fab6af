import { describe, expect, it } from "vitest";

import type { Resource } from "@/api/types";
import { chosenAs, proposal, selected, selectionErrors, tableName, vanished, withDisposition } from "./selection";

const resource = (name: string, primary_key: string[] = []): Resource => ({
  name, primary_key, cursor_candidates: [], columns: [], row_estimate: null,
});

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

  it("knows a file by its name without ending, and what has vanished", () => {
    const selection = selected([{ ...proposal(resource("orders")), source: null }, proposal(resource("gone.csv"))]);
    expect(chosenAs(selection, "orders.csv")).toBe("orders");
    expect(chosenAs(selection, "other.csv")).toBeNull();
    expect(vanished(selection, [resource("orders.csv")])).toEqual(["gone.csv"]);
  });

  it("refuses merge without key and two resources in one table", () => {
    const both = selected([proposal(resource("a.csv")), proposal(resource("A.csv"))]);
    expect(selectionErrors(both)).toEqual({ "a.csv": "Two resources have this table", "A.csv": "Two resources have this table" });
    const merged = withDisposition(selected([proposal(resource("a.csv"))]), "merge");
    expect(selectionErrors(merged)).toEqual({ "a.csv": "Merge needs a key" });
  });
});
