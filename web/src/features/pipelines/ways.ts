/** The ways of loading and of filtering, as forms offer them. */
import type { ContractRule, ResourceConfig, RowFilter, SchemaContract, SchemaPolicy } from "@/api/types";

export const DISPOSITIONS: { value: ResourceConfig["write_disposition"]; label: string }[] = [
  { value: "append", label: "append: add the rows" },
  { value: "insert", label: "insert: add new rows, fail on known keys" },
  { value: "replace", label: "replace: the whole table" },
  { value: "merge", label: "merge: update by key" },
];

export const STRATEGIES: { value: NonNullable<ResourceConfig["merge_strategy"]>; label: string }[] = [
  { value: "delete-insert", label: "delete-insert: the new row takes the place of the old" },
  { value: "upsert", label: "upsert: the old row is updated" },
  { value: "insert-only", label: "insert-only: the old row stays" },
  { value: "scd2", label: "scd2: the old row is kept as history" },
];

export const OPERATORS: { value: RowFilter["op"]; label: string }[] = [
  { value: "eq", label: "is" },
  { value: "ne", label: "is not" },
  { value: "gt", label: "is greater than" },
  { value: "gte", label: "is at least" },
  { value: "lt", label: "is less than" },
  { value: "lte", label: "is at most" },
  { value: "in", label: "is one of" },
  { value: "not_in", label: "is none of" },
];

export const PARTS: { value: keyof SchemaContract; label: string }[] = [
  { value: "tables", label: "New tables" },
  { value: "columns", label: "New columns" },
  { value: "data_type", label: "Other types" },
];

export const RULES: { value: ContractRule; label: string }[] = [
  { value: "evolve", label: "evolve: the table changes" },
  { value: "freeze", label: "freeze: the load fails before it writes" },
  { value: "discard_row", label: "discard_row: rows that need it are put aside" },
  { value: "discard_value", label: "discard_value: their values are left out" },
];

export const POLICIES: { value: SchemaPolicy; label: string; description: string }[] = [
  { value: "apply", label: "Apply", description: "The load goes on, and what changed is kept on the page Schema changes." },
  { value: "hold", label: "Hold for approval", description: "The run fails before it writes anything. Approve the changes under Schema changes, then retry it." },
  { value: "refuse", label: "Refuse", description: "The run fails before it writes anything, until the source or the settings change." },
];
