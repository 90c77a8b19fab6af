import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { queryClient } from "@/api/client";
import { me } from "@/api/queries";
import type { Permission, SchemaChange } from "@/api/types";
import { ChangeRows } from "./ChangeTable";

const column = { old: null, new: "text", table_type: null };
const CHANGE: SchemaChange = {
  id: 7, created_at: "2026-01-02T03:04:05Z", table: "people", policy: "hold", state: "pending", note: "",
  pipeline: { id: 3, name: "People", slug: "people", workflow_id: 1 },
  changes: [
    { ...column, kind: "column_added", column: "born" },
    { ...column, kind: "column_removed", column: "age", old: "integer", new: null },
    { kind: "type_changed", column: "id", old: "integer", new: "text", table_type: "integer" },
  ],
  dag_id: "shop.main", run_id: "manual__1", applied_run_id: null, decided_by: null, decided_at: null,
};
const asked: { path: string; body: unknown }[] = [];
const decided = () => Response.json({ ...CHANGE, state: "approved" });
let answer = decided;

function shown(change: Partial<SchemaChange> = {}, permissions: Permission[] = ["pipelines:read", "pipelines:write"]) {
  queryClient.setQueryData(me().queryKey, { role: "editor", permissions } as never);
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queryClient}>
        <MemoryRouter><ChangeRows changes={[{ ...CHANGE, ...change }]} withPipeline /></MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

beforeEach(() => {
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push({ path: new URL(request.url).pathname, body: await request.json() });
    return answer();
  });
});

afterEach(() => {
  cleanup();
  queryClient.clear();
  asked.length = 0;
  answer = decided;
  vi.unstubAllGlobals();
});

test("a row tells pipeline, table, and every change with its old and new type", () => {
  shown();
  const row = screen.getByText("people").closest("tr")!;
  expect(within(row).getByText("People").getAttribute("href")).toBe("/pipelines/3?tab=changes");
  const lines = [...row.querySelectorAll("li")].map(({ textContent }) => textContent);
  expect(lines[0]).toBe("+born new: text; the table gets the column");
  expect(lines[1]).toContain("−age gone: was integer");
  expect(lines[2]).toContain("~id integer → text; the column stays integer");
  expect(row.textContent).toContain("waits for approval");
});

test.each([["Approve", "approve"], ["Reject", "reject"]])("%s asks for a note and sends it", async (label, path) => {
  shown();
  fireEvent.click(screen.getByLabelText(`${label} the changes of people`));
  const dialog = await screen.findByRole("dialog");
  expect(within(dialog).getByText("born")).toBeTruthy();
  fireEvent.change(within(dialog).getByLabelText("Note"), { target: { value: "agreed" } });
  fireEvent.submit(dialog.querySelector("form")!);
  await waitFor(() => expect(asked).toEqual([{ path: `/api/v1/schema-changes/7/${path}`, body: { note: "agreed" } }]));
});

test("what somebody else decided meanwhile is said", async () => {
  answer = () => Response.json({ error: "conflict", message: "schema_change 7 is rejected: it is decided once", hint: "load the list again", problems: [] }, { status: 409 });
  shown();
  fireEvent.click(screen.getByLabelText("Approve the changes of people"));
  fireEvent.submit((await screen.findByRole("dialog")).querySelector("form")!);
  expect((await screen.findByRole("alert")).textContent).toContain("it is decided once");
});

test("who may not change pipelines sees the changes without the buttons", () => {
  shown({}, ["pipelines:read"]);
  expect(screen.queryByLabelText("Approve the changes of people")).toBeNull();
});

test("a decision is told with who, and its note; without a person it was the policy", () => {
  shown({ state: "rejected", note: "ask first", decided_by: { id: 1, name: "Ada", email: "a@b.c" }, decided_at: "2026-01-02T03:05:00Z" });
  expect(screen.getByText(/by Ada/)).toBeTruthy();
  expect(screen.getByText("ask first")).toBeTruthy();
  cleanup();
  shown({ state: "applied", policy: "apply" });
  expect(screen.getByText("by the policy “apply”")).toBeTruthy();
});

test("of a wide table the first changes are shown, and the others on demand", () => {
  shown({ changes: Array.from({ length: 30 }, (_, at) => ({ ...column, kind: "column_added" as const, column: `c${at}` })) });
  expect(document.querySelectorAll("li")).toHaveLength(12);
  fireEvent.click(screen.getByText("Show 18 more"));
  expect(document.querySelectorAll("li")).toHaveLength(30);
});
