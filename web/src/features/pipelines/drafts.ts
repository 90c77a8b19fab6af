/** What a preview of a resource says, in words. */
import type { ApiError } from "@/api/errors";
import type { Difference, DraftRow, ResourceConfig } from "@/api/types";

const WHAT: Record<Difference["what"], (one: Difference) => string> = {
  new: ({ column, proposed }) => `${column} is new: a column of type ${proposed} will be added.`,
  missing: ({ column }) => `${column} is in the table and not loaded: new rows have no value there.`,
  other_type: ({ column, proposed, existing }) => `${column} is ${existing} in the table and would be ${proposed}: the contract says what happens.`,
};

export const difference = (one: Difference): string => WHAT[one.what](one);

export function refusal({ rejected }: DraftRow): string {
  if (!rejected) return "";
  const place = rejected.line ? `line ${rejected.line}, ` : "";
  return `${place}${rejected.column}: ${rejected.reason}`;
}

/** A resource that can be tried: filters and expressions that are not filled in yet wait. */
export function tryable(config: ResourceConfig): ResourceConfig {
  const calculated = Object.fromEntries(Object.entries(config.calculated ?? {}).filter(([, { expression }]) => expression.trim()));
  return { ...config, calculated, filters: (config.filters ?? []).filter(({ column, value }) => column && value !== null) };
}

const PLACE = /calculated\.([^:]+): (.*)/s;

/** The problems of calculated columns by their names; `resource.calculated.x` is the field of one. */
export function calculatedErrors(error: ApiError | null): Record<string, string> {
  if (!error) return {};
  const found: Record<string, string> = {};
  for (const { field, message } of error.problems) {
    const name = field?.match(/^resource\.calculated\.([^.]+)/)?.[1];
    if (name) found[name] = message;
  }
  const [, name, words] = error.message.match(PLACE) ?? [];
  return name && words && !(name in found) && !error.problems.length ? { [name]: words } : found;
}
