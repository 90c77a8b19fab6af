import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { LoadedTable } from "@/api/types";
import { Tables } from "./LoadedTables";

const FOUND: LoadedTable[] = [{ name: "lines", has_rejected: false }, { name: "orders", has_rejected: true }];
const ROWS = { columns: [{ name: "id", type: "bigint" }], rows: [[7], [8]], complete: false };

function shown(address: string, tables = FOUND, suffix?: "__rejected") {
  const asked = vi.fn((request: Request) => Promise.resolve(Response.json({ ...ROWS, asked: request.url })));
  vi.stubGlobal("fetch", asked);
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <MemoryRouter initialEntries={[address]}><Tables id={3} tables={tables} suffix={suffix} empty="nothing here" /></MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return () => new URL(asked.mock.calls[0]![0].url).pathname;
}

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe("rows of what a pipeline has loaded", () => {
  it("are those of the chosen table, and say that there are more", async () => {
    const path = shown("/?table=orders");
    expect(await screen.findByText("first 2 rows")).toBeTruthy();
    expect(screen.getByText("8")).toBeTruthy();
    expect(path()).toBe("/api/v1/pipelines/3/tables/orders/rows");
  });

  it("are those of the first table where the chosen one was never loaded", async () => {
    const path = shown("/?table=absent");
    expect(await screen.findByText("first 2 rows")).toBeTruthy();
    expect(path()).toBe("/api/v1/pipelines/3/tables/lines/rows");
  });

  it("can be the rejected ones of a table", async () => {
    const path = shown("/", FOUND.slice(1), "__rejected");
    expect(await screen.findByText("orders__rejected")).toBeTruthy();
    expect(path()).toBe("/api/v1/pipelines/3/tables/orders__rejected/rows");
  });

  it("are not asked for where nothing was loaded", () => {
    shown("/", []);
    expect(screen.getByText("nothing here")).toBeTruthy();
  });
});
