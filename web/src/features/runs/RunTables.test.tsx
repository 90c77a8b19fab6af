import { MantineProvider } from "@mantine/core";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";

import type { RunResult } from "@/api/types";

import { RunTables } from "./RunTables";

const table = { table: "t", write_disposition: "merge", extracted: 5, normalized: 5, loaded: 5, size_bytes: 1 };

function shown(more: object, whole: object = {}) {
  const result = { node: "n", ...whole, tables: [{ ...table, ...more }] } as unknown as RunResult;
  render(<MantineProvider env="test"><RunTables results={[result]} live={{}} going={false} /></MantineProvider>);
  return document.querySelector("tbody")?.textContent ?? "";
}

afterEach(cleanup);

describe("what a load found by comparing", () => {
  it("is told beside the table", () => {
    const text = shown({ deleted: 1200, restored: 3, source_rows: 4000, target_rows: 4000 });
    expect(text).toContain("1,200 deleted: the source has them no longer");
    expect(text).toContain("3 are back at the source");
    expect(text).toContain("counted: the source has 4,000 rows, and they are all here");
  });

  it("is not spoken of where nothing was compared", () => {
    const text = shown({ deleted: 0, restored: 0, source_rows: null, target_rows: null });
    expect(text).not.toContain("source");
    expect(screen.queryByText(/counted/)).toBeNull();
  });

  it("says that a replay read no source", () => {
    expect(shown({ extracted: 3, loaded: 2, rejected: 1 }, { replay: true })).toContain("a replay: the rows read had been rejected");
    cleanup();
    expect(shown({}, { replay: false })).not.toContain("replay");
  });

  it("tells of a source without rows", () => {
    expect(shown({ loaded: 0, source_rows: 0, target_rows: 0 })).toContain("the source has 0 rows");
  });
});
