/** Which resources of a source a pipeline loads, and how. */
import type { ResourceConfig, SourceTable } from "@/api/types";

export type Disposition = ResourceConfig["write_disposition"];
/** By the resource's name at the source, where it is chosen twice with its table; the rest is not loaded. */
export type Selection = Record<string, ResourceConfig>;

/** A table name that the service accepts: "Order Lines.csv" becomes "order_lines". */
export function tableName(source: string): string {
  const stem = source.split("/").at(-1)!.replace(/(\.(csv|tsv|zip|gz|json|jsonl|parquet))+$/i, "");
  const name = stem.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
  return (/^[a-z]/.test(name) ? name : `t_${name}`).slice(0, 63);
}

/** What is proposed when a resource is chosen: merge by its key where it has one, else replace. */
export function proposal(table: Pick<SourceTable, "source" | "primary_key">): ResourceConfig {
  const name = tableName(table.source);
  return {
    name,
    source: name === table.source ? null : table.source,
    write_disposition: table.primary_key.length ? "merge" : "replace",
    primary_key: table.primary_key,
    cursor: null,
  };
}

/**
 * The name under which a choice stands: a resource is also known by its name without ending, as
 * the service finds "orders" in orders.csv.
 */
export function chosenAs(selection: Selection, resource: string): string | null {
  if (selection[resource]) return resource;
  const stem = tableName(resource);
  return selection[stem] ? stem : null;
}

/** What is chosen and not among these tables: on another page, or not at the source any more. */
export function others(selection: Selection, tables: Pick<SourceTable, "source">[]): string[] {
  const here = new Set(tables.map(({ source }) => chosenAs(selection, source)));
  return Object.keys(selection).filter((name) => !here.has(name));
}

export function without(selection: Selection, names: (string | null)[]): Selection {
  return Object.fromEntries(Object.entries(selection).filter(([name]) => !names.includes(name)));
}

/** What a resource is called at the source. */
export const sourceOf = (config: ResourceConfig) => config.source ?? config.name;

/** The stored choice, by the name at the source. */
export function selected(resources: ResourceConfig[]): Selection {
  const found: Selection = {};
  for (const config of resources) {
    const source = sourceOf(config);
    found[source in found ? `${source} → ${config.name}` : source] = config;
  }
  return found;
}

/** The same change to many. */
export function changed(selection: Selection, names: string[], change: (config: ResourceConfig) => ResourceConfig): Selection {
  const wanted = new Set(names);
  return Object.fromEntries(Object.entries(selection).map(([name, config]) => [name, wanted.has(name) ? change(config) : config]));
}

/** Another way of loading, without the settings that it has no place for. */
export function loadedAs(config: ResourceConfig, write_disposition: Disposition, merge_strategy = config.merge_strategy): ResourceConfig {
  const strategy = write_disposition === "merge" ? merge_strategy : undefined;
  const cursor = strategy === "scd2" ? null : config.cursor;
  const merged = write_disposition === "merge" && strategy !== "scd2";
  const next = { ...config, write_disposition, merge_strategy: strategy, cursor };
  return merged ? next : { ...next, cursor: cursor && { ...cursor, lag: undefined }, deletes: undefined };
}

/** Which of its own settings a resource has, in a few words. */
export function settings({ filters = [], columns = {}, calculated, on_bad_row, minimum_rows, contract, deletes }: ResourceConfig): string[] {
  const masked = Object.values(columns).filter(({ mask }) => mask).length;
  const count = (number: number, noun: string) => number && `${number} ${noun}${number === 1 ? "" : "s"}`;
  return [
    count(filters.length, "filter"),
    count(Object.keys(columns).length, "column") && `${count(Object.keys(columns).length, "column")} changed`,
    masked && `${masked} masked`,
    count(Object.keys((calculated as object | undefined) ?? {}).length, "calculated column"),
    on_bad_row === "quarantine" && "bad rows put aside",
    minimum_rows && `at least ${minimum_rows.toLocaleString("en")} rows`,
    deletes && deletes !== "none" && `${deletes} deletes`,
    Object.values(contract ?? {}).some((rule) => rule !== "evolve") && "contract",
  ].filter((words): words is string => Boolean(words));
}

/** What keeps a choice from being saved, by its name. */
export function selectionErrors(selection: Selection): Record<string, string> {
  const times = new Map<string, number>();
  for (const { name } of Object.values(selection)) times.set(name, (times.get(name) ?? 0) + 1);
  const errors: Record<string, string> = {};
  for (const [source, config] of Object.entries(selection)) {
    const wrong = resourceError(config) ?? ((times.get(config.name) ?? 0) > 1 ? "Two resources have this table" : null);
    if (wrong) errors[source] = wrong;
  }
  return errors;
}

function resourceError({ name, write_disposition, merge_strategy, primary_key, filters = [] }: ResourceConfig): string | null {
  if (write_disposition === "merge" && merge_strategy !== "scd2" && !primary_key.length) return "Merge needs a key";
  if (write_disposition === "insert" && !primary_key.length) return "Insert needs a key";
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) return "Table: lower-case letters, digits and _";
  const unfinished = filters.find(({ column, value }) => !column || value === null || (Array.isArray(value) && !value.length));
  return unfinished ? `Filter${unfinished.column ? ` on ${unfinished.column}` : ""}: fill it in or remove it` : null;
}
