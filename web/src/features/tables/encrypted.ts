/** Texts that the mask `encrypt` has made, among the cells of a table. */
const PREFIX = "enc1:";
export const MOST_AT_ONCE = 1000;

const isEncrypted = (value: unknown): value is string => typeof value === "string" && value.startsWith(PREFIX);

/** Each of them once, no more than can be asked for at once. */
export function encryptedIn(rows: unknown[][]): string[] {
  return [...new Set(rows.flat().filter(isEncrypted))].slice(0, MOST_AT_ONCE);
}

/** The rows with what was revealed in its place; what was not stays as it is. */
export function withRevealed(rows: unknown[][], asked: string[], values: (string | null)[]): unknown[][] {
  const known = new Map(asked.map((text, at) => [text, values[at] ?? text]));
  return rows.map((row) => row.map((value) => (isEncrypted(value) ? (known.get(value) ?? value) : value)));
}
