import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { afterEach, describe, expect, it } from "vitest";

import { ResourceTable } from "./ResourceTable";
import { proposal, selected, type Selection } from "./selection";

const MANY = 5_000;
const many = () => selected(Array.from({ length: MANY }, (_, at) => proposal({ source: `table_${String(at).padStart(4, "0")}`, primary_key: at % 2 ? ["id"] : [] })));
let kept: Selection = {};
const keep = (selection: Selection) => void (kept = selection);

function Harness({ first, problems = {} }: { first: Selection; problems?: Record<string, Record<string, string>> }) {
  const [selection, setSelection] = useState(first);
  return (
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <ResourceTable sourceId={1} selection={selection} problems={problems} readOnly={false} onChange={(next) => (keep(next), setSelection(next))} />
      </QueryClientProvider>
    </MantineProvider>
  );
}

// By label and selector: to look for roles takes long in a table of 25 rows.
const names = () => [...document.querySelectorAll("tbody tr td:nth-child(2) p:first-child")].map(({ textContent }) => textContent);

afterEach(cleanup);

describe("the table of resources", () => {
  it("draws a page of 5,000, finds among all and changes all that are found at once", async () => {
    render(<Harness first={many()} />);
    expect(names()).toHaveLength(25);
    fireEvent.change(screen.getByLabelText("Search chosen resources"), { target: { value: "table_49" } });
    await waitFor(() => expect(names()[0]).toBe("table_4900"), { timeout: 60_000 });
    fireEvent.click(screen.getByLabelText("Mark all that are found"));
    expect(screen.getByText("100 marked:")).toBeTruthy();
    fireEvent.change(screen.getByLabelText("Cursor of all marked"), { target: { value: "at" } });
    fireEvent.click(screen.getByText("Set cursor"));
    const cursors = Object.values(kept).filter(({ cursor }) => cursor?.column === "at").map(({ name }) => name);
    expect(cursors).toHaveLength(100);
    expect(cursors.every((name) => name.startsWith("table_49"))).toBe(true);
    expect(Object.keys(kept)).toHaveLength(MANY);
  }, 120_000);

  it("sorts by what its columns say, either way", () => {
    render(<Harness first={selected([proposal({ source: "b", primary_key: ["id"] }), proposal({ source: "a", primary_key: [] }), proposal({ source: "c", primary_key: ["id"] })])} />);
    expect(names()).toEqual(["a", "b", "c"]);
    fireEvent.click(screen.getByText(/^Load/));
    expect(names()).toEqual(["b", "c", "a"]);
    fireEvent.click(screen.getByText(/^Load/));
    expect(names()).toEqual(["a", "c", "b"]);
    expect(screen.getByText(/^Load/).closest("th")!.getAttribute("aria-sort")).toBe("descending");
  });

  it("shows the service's problem at the resource it belongs to", () => {
    render(<Harness first={selected([proposal({ source: "a", primary_key: [] }), proposal({ source: "b", primary_key: [] })])} problems={{ b: { "filters.0.column": "no such column" } }} />);
    const row = screen.getByLabelText("Table of b").closest("tr")!;
    expect(row.textContent).toContain("filters.0.column: no such column");
    expect(screen.getByLabelText("Table of a").closest("tr")!.textContent).not.toContain("no such column");
  });
});
