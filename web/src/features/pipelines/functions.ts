/** The functions a column can go through, with what each takes besides the value. */
import type { ColumnConfig, ColumnType, FoundColumn, FunctionCall, PlainValue } from "@/api/types";

interface Argument {
  label: string;
  number?: boolean;
  optional?: boolean;
}

const UNIT: Argument = { label: "unit: year, month, day, hour …" };
const COUNT: Argument = { label: "how many", number: true };

export const FUNCTIONS: Record<string, Argument[]> = {
  upper: [], lower: [], trim: [], ltrim: [], rtrim: [], length: [],
  substring: [{ label: "from", number: true }, { ...COUNT, optional: true }],
  left: [COUNT], right: [COUNT],
  replace: [{ label: "what" }, { label: "by" }],
  split_part: [{ label: "separator" }, { label: "part", number: true }],
  nullif: [{ label: "what means no value" }],
  round: [{ label: "digits", number: true, optional: true }],
  floor: [], ceil: [], abs: [], year: [], month: [], day: [], hour: [], date: [],
  date_trunc: [UNIT],
};

export const TYPES: ColumnType[] = ["text", "integer", "number", "boolean", "date", "timestamp"];

export function called(name: string): FunctionCall {
  const given = (FUNCTIONS[name] ?? []).filter(({ optional }) => !optional);
  return { name, arguments: given.map(({ number }): PlainValue => (number ? 1 : "")) };
}

export function withArgument(call: FunctionCall, at: number, text: string): FunctionCall {
  const wanted = FUNCTIONS[call.name]?.[at];
  const given = [...(call.arguments ?? [])];
  if (wanted?.optional && text === "") return { ...call, arguments: given.slice(0, at) };
  given[at] = wanted?.number && /^-?\d+$/.test(text) ? Number(text) : text;
  return { ...call, arguments: given };
}

/** A column's configuration with a part changed; null: nothing is left to say of it. */
export function changedColumn(before: ColumnConfig | undefined, part: ColumnConfig): ColumnConfig | null {
  const next = Object.entries({ ...before, ...part }).filter(([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && !value.length));
  return next.length ? (Object.fromEntries(next) as ColumnConfig) : null;
}

/** What an inspection proposes, over what was said before: names, masks and defaults stay. */
export function withProposal(columns: Record<string, ColumnConfig>, found: FoundColumn[]): Record<string, ColumnConfig> {
  const proposed = found.map(({ name, type, functions }) => {
    const plain = type === "text" && !functions.length;
    return [name, changedColumn(columns[name], { type: plain ? null : type, functions: functions as FunctionCall[] })] as const;
  });
  return { ...without(columns, found.map(({ name }) => name)), ...Object.fromEntries(proposed.filter(([, config]) => config)) } as Record<string, ColumnConfig>;
}

export function without<Value>(values: Record<string, Value>, names: string[]): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));
}
