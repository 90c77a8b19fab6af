/** What an inspection found, in words. */
import type { Drift, FoundColumn } from "@/api/types";

export function proposed({ type, functions }: Pick<FoundColumn, "type" | "functions">): string {
  const calls = functions.map(({ name, arguments: given = [] }) => `${name}(${given.map((one) => JSON.stringify(one)).join(", ")})`);
  return calls.length ? `${type}, after ${calls.join(", ")}` : type;
}

export function bounds({ least, greatest }: Pick<FoundColumn, "least" | "greatest">): string {
  if (least === null || greatest === null) return "–";
  return least === greatest ? least : `${least} … ${greatest}`;
}

/** What changed in a header, one sentence each; none: nothing did. */
export function changes({ added, missing, renamed, reordered }: Drift): string[] {
  return [
    missing.length ? `Missing: ${missing.join(", ")}.` : "",
    ...renamed.map(({ before, after }) => `${before} looks like it is called ${after} now.`),
    added.length ? `New: ${added.join(", ")}.` : "",
    reordered ? "The columns stand in another order, which changes nothing." : "",
  ].filter(Boolean);
}
