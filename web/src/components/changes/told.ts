/** Changes of a table in words. */
import type { ColumnChange } from "@/api/types";

export interface Told {
  sign: "+" | "−" | "~";
  what: string;
  /** What the load does with it. */
  effect: string;
}

const SAYS: Record<ColumnChange["kind"], (change: ColumnChange) => Told> = {
  table_added: () => ({ sign: "+", what: "the table is new", effect: "it is made" }),
  column_added: ({ new: type }) => ({ sign: "+", what: `new: ${type}`, effect: "the table gets the column" }),
  column_removed: ({ old }) => ({ sign: "−", what: `gone: was ${old}`, effect: "the column stays, empty in new rows" }),
  type_changed: ({ old, new: type, table_type }) => ({
    sign: "~",
    what: `${old} → ${type}`,
    effect: `the column stays ${table_type}: values are converted, and one that does not fit fails the load`,
  }),
};

export const told = (change: ColumnChange): Told => SAYS[change.kind](change);
