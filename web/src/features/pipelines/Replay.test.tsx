import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { RejectedTables } from "@/api/types";
import { Offer } from "./Replay";

const FOUND: RejectedTables = {
  published: true,
  is_held: false,
  tables: [{ table: "orders", rows: 1200, blocked: null }, { table: "lines", rows: 1, blocked: null }, { table: "history", rows: 3, blocked: "scd2 closes every row" }],
};

function shown(changes: Partial<RejectedTables> = {}, may = true) {
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <MemoryRouter><Offer id={7} found={{ ...FOUND, ...changes }} may={may} /></MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

const button = () => screen.queryByText("Replay")?.closest("button");

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe("rejected rows that are offered for a replay", () => {
  it("say what will happen, are replayed by one request, and lead to the run", async () => {
    const asked = vi.fn((request: Request) => Promise.resolve(Response.json({ dag_id: "acme.main", run_id: "manual__1", request: request.url }, { status: 201 })));
    vi.stubGlobal("fetch", asked);
    shown();
    expect(screen.getByText("3 rows, which cannot be replayed: scd2 closes every row")).toBeTruthy();
    fireEvent.click(button()!);
    expect(await screen.findByText(/A run takes 1,201 rejected rows of orders, lines through the pipeline as it is published/)).toBeTruthy();
    fireEvent.submit(document.querySelector("form")!);
    const link = await screen.findByText("See what its run loads");
    expect(link.getAttribute("href")).toBe("/runs/acme.main/manual__1?tab=tables");
    const sent = asked.mock.calls.map(([request]) => request).find(({ method }) => method === "POST")!;
    expect(new URL(sent.url).pathname).toBe("/api/v1/pipelines/7/rejected/replay");
    expect(await sent.json()).toEqual({ tables: [] });
  }, 60_000);

  it.each([
    ["to a role that may not run", {}, false, /Your role may not run pipelines/],
    ["while a run is loading", { is_held: true }, true, /A run is loading this pipeline/],
    ["where no table can be", { tables: FOUND.tables.slice(2) }, true, /None of these rows can be replayed/],
  ])("are not %s, with the reason", (_, changes, may, reason) => {
    shown(changes, may);
    expect(screen.getByText(reason)).toBeTruthy();
    expect(button()?.disabled).toBe(true);
  });

  it("are not spoken of where there are none", () => {
    shown();
    expect(screen.queryByText("Load them after all")).toBeTruthy();
    cleanup();
    shown({ tables: [] });
    expect(screen.queryByText("Load them after all")).toBeNull();
  });
});
