/** What a profile found, in sentences. */
import type { CursorProfile, KeyProfile, Profile } from "@/api/types";

const count = (number: number, noun: string) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/** What the figures are of: never more than was looked at. */
export function scope({ rows, complete }: Pick<Profile, "rows" | "complete">): string {
  if (complete) return rows ? `Of all ${count(rows, "row")}.` : "The table is empty.";
  return `Of the first ${count(rows, "row")}; the others were not looked at.`;
}

const PROPOSED: Record<KeyProfile["proposed_by"], string> = {
  caller: "Your key",
  source: "The primary key of the source",
  sample: "The first column without doubles",
};

export function keyFinding(key: KeyProfile, complete: boolean): string {
  const name = `${PROPOSED[key.proposed_by]}, ${key.columns.join(" + ")},`;
  if (key.unique) return `${name} is unique${complete ? "" : " as far as was looked"}.`;
  const reasons = [
    key.duplicates && `doubled in ${count(key.duplicates, "row")}`,
    key.nulls && `empty in ${count(key.nulls, "row")}`,
  ].filter(Boolean);
  return `${name} is no key: ${reasons.join(", ")}.`;
}

/** What to know before a column becomes the cursor; empty when nothing speaks against it. */
export function cursorFindings({ nulls, ties, out_of_order, why_not }: CursorProfile): string[] {
  return [
    why_not ?? "",
    nulls ? `empty in ${count(nulls, "row")}, which would never be loaded` : "",
    ties ? `doubled in ${count(ties, "row")}: a load reads the last value again` : "",
    out_of_order ? `smaller than in the row before in ${count(out_of_order, "row")}: rows do not lie in this order` : "",
  ].filter(Boolean);
}

/** A value as a table cell shows it. */
export function shown(value: unknown): string {
  return value === null || value === undefined ? "–" : String(value);
}
