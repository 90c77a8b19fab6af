import { MantineProvider } from "@mantine/core";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, expect, test } from "vitest";

import type { ResourceConfig } from "@/api/types";
import { CalculatedColumns } from "./CalculatedColumns";
import { ColumnMapping } from "./ColumnMapping";

const FIRST: ResourceConfig = { name: "t", write_disposition: "append", primary_key: [], cursor: null, columns: { a: { functions: [{ name: "replace", arguments: [",", "."] }] } } };
let kept: ResourceConfig;

function Harness({ errors = {} }: { errors?: Record<string, string> }) {
  const [config, setConfig] = useState(FIRST);
  const keep = (next: ResourceConfig) => setConfig((kept = next));
  return (
    <MantineProvider env="test">
      <ColumnMapping config={config} columns={[{ name: "a" }, { name: "b" }]} errors={{}} onChange={keep} />
      <CalculatedColumns config={config} errors={errors} onChange={keep} />
    </MantineProvider>
  );
}

afterEach(cleanup);

test("functions and defaults are changed, and taken away again without a trace", () => {
  render(<Harness />);
  fireEvent.change(screen.getByLabelText("replace of a: by"), { target: { value: "" } });
  fireEvent.change(screen.getByLabelText("Default of b"), { target: { value: "none" } });
  expect(kept.columns).toEqual({ a: { functions: [{ name: "replace", arguments: [",", ""] }] }, b: { default: "none" } });
  fireEvent.click(screen.getByLabelText("Remove replace from a"));
  fireEvent.change(screen.getByLabelText("Default of b"), { target: { value: "" } });
  expect(kept.columns).toEqual({});
}, 60_000);

test("a calculated column is added, written and removed; its error stands at it", () => {
  render(<Harness errors={{ total: "line 1, column 3: no function 'f'" }} />);
  fireEvent.change(screen.getByLabelText("Name of a new calculated column"), { target: { value: "total" } });
  fireEvent.click(screen.getByText("Add a calculated column"));
  fireEvent.change(screen.getByLabelText("total"), { target: { value: "a * 2" } });
  expect(kept.calculated).toEqual({ total: { expression: "a * 2", type: "text" } });
  expect(screen.getByText("line 1, column 3: no function 'f'")).toBeTruthy();
  fireEvent.click(screen.getByLabelText("Remove total"));
  expect(kept.calculated).toEqual({});
}, 60_000);
