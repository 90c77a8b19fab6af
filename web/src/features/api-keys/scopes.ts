/** What a key may do: choices that fit most needs, and the words of a choice. */
import type { Permission } from "@/api/types";

export interface Preset {
  label: string;
  /** Which of the caller's own permissions belong to it. */
  scopes: (own: readonly Permission[]) => Permission[];
}

const RUNNING: Permission[] = ["workflows:read", "runs:read", "runs:execute"];
/** What a key that only reads data and its runs has no business with. */
const INNER = ["members", "api_keys", "audit"];

export const PRESETS: Preset[] = [
  { label: "Read only", scopes: (own) => own.filter((scope) => scope.endsWith(":read") && !INNER.includes(noun(scope))) },
  { label: "Run workflows", scopes: (own) => RUNNING.filter((scope) => own.includes(scope)) },
  { label: "Everything I may", scopes: (own) => [...own] },
  { label: "Nothing", scopes: () => [] },
];

const noun = (scope: Permission) => scope.split(":")[0] ?? "";

/** "reads and writes pipelines; reads runs" is long: so a key's reach is told in counts. */
export function told(scopes: readonly Permission[]): string {
  const writes = scopes.filter((scope) => !scope.endsWith(":read"));
  if (!writes.length) return `reads ${scopes.length} ${scopes.length === 1 ? "thing" : "things"}`;
  return writes.map((scope) => scope.replace(":", " ").replaceAll("_", " ")).join(", ");
}

export function sameScopes(a: readonly Permission[], b: readonly Permission[]): boolean {
  return a.length === b.length && a.every((scope) => b.includes(scope));
}
