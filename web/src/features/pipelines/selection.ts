/** Which resources of a source a pipeline loads, and how. */
import type { Resource, ResourceConfig } from "@/api/types";

export type Disposition = ResourceConfig["write_disposition"];
/** By the resource's name at the source; what is absent is not loaded. */
export type Selection = Record<string, ResourceConfig>;

/** A table name that the service accepts: "Order Lines.csv" becomes "order_lines". */
export function tableName(source: string): string {
  const stem = source.split("/").at(-1)!.replace(/(\.(csv|tsv|zip|gz|json|jsonl|parquet))+$/i, "");
  const name = stem.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
  return (/^[a-z]/.test(name) ? name : `t_${name}`).slice(0, 63);
}

/** What is proposed when a resource is chosen: merge by its key where it has one, else replace. */
export function proposal(resource: Resource): ResourceConfig {
  const name = tableName(resource.name);
  return {
    name,
    source: name === resource.name ? null : resource.name,
    write_disposition: resource.primary_key.length ? "merge" : "replace",
    primary_key: resource.primary_key,
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

/** What was chosen earlier and is not at the source any more. */
export function vanished(selection: Selection, resources: Resource[]): string[] {
  const here = new Set(resources.map(({ name }) => chosenAs(selection, name)));
  return Object.keys(selection).filter((name) => !here.has(name));
}

export function without(selection: Selection, names: (string | null)[]): Selection {
  return Object.fromEntries(Object.entries(selection).filter(([name]) => !names.includes(name)));
}

/** The stored choice, by the name at the source. */
export function selected(resources: ResourceConfig[]): Selection {
  return Object.fromEntries(resources.map((config) => [config.source ?? config.name, config]));
}

export function withDisposition(selection: Selection, disposition: Disposition): Selection {
  return Object.fromEntries(Object.entries(selection).map(([name, config]) => [name, { ...config, write_disposition: disposition }]));
}

/** What keeps a choice from being saved, by the name at the source. */
export function selectionErrors(selection: Selection): Record<string, string> {
  const names = Object.values(selection).map(({ name }) => name);
  const errors: Record<string, string> = {};
  for (const [source, config] of Object.entries(selection)) {
    if (config.write_disposition === "merge" && !config.primary_key.length) errors[source] = "Merge needs a key";
    if (!/^[a-z][a-z0-9_]{0,62}$/.test(config.name)) errors[source] = "Table: lower-case letters, digits and _";
    if (names.indexOf(config.name) !== names.lastIndexOf(config.name)) errors[source] = "Two resources have this table";
  }
  return errors;
}
