/** What a replay of rejected rows does, and why it cannot be. */
import type { RejectedTables } from "@/api/types";

type Table = RejectedTables["tables"][number];

/** The tables whose rejected rows can be loaded after all. */
export const replayable = ({ tables }: RejectedTables): Table[] => tables.filter(({ blocked }) => !blocked);

/** Why nothing can be replayed now; null: something can. */
export function whyNot(found: RejectedTables, may: boolean): string | null {
  if (!may) return "Your role may not run pipelines, so you cannot replay these rows.";
  if (found.is_held) return "A run is loading this pipeline. Replay when it is over.";
  return replayable(found).length ? null : "None of these rows can be replayed.";
}

export function effectOfReplay(tables: Table[]): string {
  const rows = tables.reduce((sum, one) => sum + one.rows, 0);
  const names = tables.map(({ table }) => table).join(", ");
  return [
    `A run takes ${rows.toLocaleString("en")} rejected ${rows === 1 ? "row" : "rows"} of ${names} through the pipeline as it is published: changes that you have not published do not count.`,
    "Rows that fit are loaded and leave this list. The others stay, with their reason of today.",
    "Values that were masked stay as they are kept. The source is not read, and no cursor moves.",
  ].join(" ");
}
