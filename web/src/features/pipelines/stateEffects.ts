/** What the next run does to a table after its state was changed. */
import type { ResourceState } from "@/api/types";

type Disposition = ResourceState["write_disposition"];

const AGAIN: Record<Disposition, string> = {
  merge: "Rows that are there already are updated, not doubled.",
  append: "Rows that are there already stay, so those that are loaded again will be there twice: delete them first if you do not want that.",
  insert: "The run fails if a key is there already: delete those rows first.",
  replace: "The table is replaced as a whole.",
};

export function effectOfReset({ table, write_disposition }: ResourceState): string {
  return `The next run loads ${table} from the beginning. ${AGAIN[write_disposition]} Other tables stay as they are.`;
}

export function effectOfSet({ table, cursor, write_disposition, position }: ResourceState, value: string): string {
  const skips = "What lies between is not loaded if the new value is higher than the one of now";
  return `The next run loads the rows of ${table} whose ${cursor} is ${value || "…"} or higher${position?.text ? `; now it is ${position.text}` : ""}. ${AGAIN[write_disposition]} ${skips}. Other tables stay as they are.`;
}

export function effectOfRestore(resources: ResourceState[]): string {
  const dispositions = [...new Set(resources.map(({ write_disposition }) => write_disposition))].sort();
  const which = resources.map(({ table }) => table).join(", ");
  return `The next run loads what has come to ${which} since then. ${dispositions.map((how) => (dispositions.length > 1 ? `${how}: ` : "") + AGAIN[how]).join(" ")} Rows at the destination are not taken out.`;
}
