/** Values of row filters: of one kind, one of them or a list. */
import type { PlainValue, RowFilter } from "@/api/types";

export type Kind = "text" | "number" | "boolean";

export const isList = (op: RowFilter["op"]) => op === "in" || op === "not_in";

/** What a stored filter compares with; one that is not filled in goes by its column's type. */
export function kindOf({ value }: Pick<RowFilter, "value">, type = ""): Kind {
  const one = Array.isArray(value) ? value[0] : value;
  if (typeof one === "number") return "number";
  if (typeof one === "boolean") return "boolean";
  if (typeof one === "string") return "text";
  if (/^bool/i.test(type)) return "boolean";
  return /int|numeric|decimal|float|double|real|number|serial/i.test(type) ? "number" : "text";
}

/** A typed text as a value; null: it is none of that kind. */
export function valueOf(text: string, kind: Kind): PlainValue | null {
  if (kind === "text") return text;
  if (kind === "boolean") return text === "true" ? true : text === "false" ? false : null;
  const number = Number(text);
  if (!text.trim() || !Number.isFinite(number)) return null;
  // JavaScript would round it; the service compares a text in the column's own type.
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? text.trim() : number;
}

/** The same filter with another operator: a value becomes a list of one, a list its first. */
export function withOperator(filter: RowFilter, op: RowFilter["op"]): RowFilter {
  const { value } = filter;
  if (isList(op) === Array.isArray(value)) return { ...filter, op };
  if (isList(op)) return { ...filter, op, value: value === null ? [] : [value as PlainValue] };
  return { ...filter, op, value: (value as PlainValue[] | null)?.[0] ?? null };
}

/** The same filter with values of another kind; those that are none of it are lost. */
export function withKind(filter: RowFilter, kind: Kind): RowFilter {
  const { value } = filter;
  if (value === null) return filter;
  if (!Array.isArray(value)) return { ...filter, value: valueOf(String(value), kind) };
  return { ...filter, value: value.map((one) => valueOf(String(one), kind)).filter((one) => one !== null) };
}
