import { MantineProvider } from "@mantine/core";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";

import { configOf, withConfig } from "./draft";
import { SchemaPolicy } from "./SchemaPolicy";

afterEach(cleanup);

test("each choice says what it does, and choosing one tells it", () => {
  const chosen = vi.fn();
  render(<MantineProvider env="test"><SchemaPolicy value="apply" readOnly={false} onChange={chosen} /></MantineProvider>);
  expect((screen.getByLabelText("Apply") as HTMLInputElement).checked).toBe(true);
  expect(screen.getByText(/Approve the changes under Schema changes/)).toBeTruthy();
  fireEvent.click(screen.getByLabelText("Hold for approval"));
  expect(chosen).toHaveBeenCalledWith("hold");
});

test("the policy of a stored pipeline is saved again", () => {
  const draft = withConfig({ mode: "resources", schema_changes: "refuse", resources: [] });
  expect(configOf(draft).schema_changes).toBe("refuse");
});
