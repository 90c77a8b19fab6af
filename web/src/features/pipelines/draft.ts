/** A pipeline while it is edited: what the wizard and the page have in common. */
import { asApiError } from "@/api/errors";
import type { Pipeline, PipelineConfig, PipelineSettings } from "@/api/types";
import { selected, selectionErrors, type Selection } from "./selection";

export const BATCH_SIZE = 50_000; // the service's own default

export interface Draft {
  name: string;
  workflow: string;
  source: string;
  /** Empty: the managed warehouse. */
  destination: string;
  dataset: string;
  selection: Selection;
  /** All of the configuration but its resources. */
  rest: PipelineSettings;
}

export const STEPS = ["Source", "Resources", "Destination", "Loading", "Review"] as const;

export function draftOf(pipeline?: Pipeline, managed?: number): Draft {
  const config = pipeline?.config as PipelineConfig | undefined;
  const destination = pipeline?.destination_connection_id;
  return {
    name: pipeline?.name ?? "",
    workflow: pipeline ? String(pipeline.workflow_id) : "",
    source: pipeline ? String(pipeline.source_connection_id) : "",
    destination: destination && destination !== managed ? String(destination) : "",
    dataset: pipeline?.dataset ?? "raw",
    ...withConfig(config ?? { mode: "resources", resources: [] }),
  };
}

/** The parts of a draft that a configuration says. */
export function withConfig({ resources = [], ...rest }: PipelineConfig): Pick<Draft, "selection" | "rest"> {
  return { selection: selected(resources.map((one) => ({ ...one, write_disposition: one.write_disposition ?? "append", primary_key: one.primary_key ?? [], cursor: one.cursor ?? null }))), rest: { ...rest, mode: rest.mode ?? "resources" } };
}

export function configOf({ rest, selection }: Pick<Draft, "selection" | "rest">): PipelineConfig {
  const { source_schema, table_names, ...others } = rest;
  const whole = rest.mode === "full_database";
  return { ...others, mode: rest.mode, source_schema, ...(whole && { table_names }), resources: Object.values(selection) };
}

/** What is wrong, by the step where it is mended; resources have their own. */
export function draftErrors(draft: Draft): Partial<Record<(typeof STEPS)[number], string>> {
  const chosen = Object.keys(draft.selection).length;
  const errors = selectionErrors(draft.selection);
  const first = Object.keys(errors)[0];
  return Object.fromEntries(
    Object.entries({
      Source: draft.source ? null : "Choose a source connection.",
      Resources: resourcesError(draft.rest.mode, chosen),
      Destination: destinationError(draft),
      Loading: first ? `${first}: ${errors[first]}` : null,
    }).filter(([, words]) => words),
  );
}

function resourcesError(mode: PipelineConfig["mode"], chosen: number): string | null {
  if (mode === "resources" && !chosen) return "Choose at least one resource.";
  return mode === "single_table" && chosen !== 1 ? "Choose exactly one resource." : null;
}

function destinationError({ name, dataset }: Draft): string | null {
  if (!name.trim()) return "Give the pipeline a name.";
  return /^[a-z](_?[a-z0-9])*$/.test(dataset) ? null : "Dataset: lower-case letters, digits and single _, beginning with a letter.";
}

const FIELD_STEPS: [RegExp, (typeof STEPS)[number]][] = [
  [/^source_connection_id/, "Source"],
  [/^config\.(mode|table_names|source_schema|resources$)/, "Resources"],
  [/^config/, "Loading"],
  [/^(name|slug|dataset|workflow_id|destination_connection_id)/, "Destination"],
];

/** The step in which the first of the service's problems is mended. */
export function stepOf(error: unknown): (typeof STEPS)[number] | null {
  const fields = asApiError(error).problems.map(({ field }) => field ?? "");
  for (const field of fields) {
    const found = FIELD_STEPS.find(([pattern]) => pattern.test(field));
    if (found) return found[1];
  }
  return null;
}

/** The service's problems with resources: by their names, then by field ("" is the whole). */
export function resourceProblems(error: unknown, selection: Selection): Record<string, Record<string, string>> {
  const names = Object.keys(selection);
  const found: Record<string, Record<string, string>> = {};
  for (const { field, message } of error ? asApiError(error).problems : []) {
    const place = /^config\.resources\.(\d+)(?:\.(.*))?$/.exec(field ?? "");
    const name = place && names[Number(place[1])];
    if (name) (found[name] ??= {})[place[2] ?? ""] ??= message;
  }
  return found;
}
