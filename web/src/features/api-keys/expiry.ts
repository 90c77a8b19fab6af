/** When a key ends. */

export const EXPIRIES = [
  { value: "7", label: "in 7 days" },
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "365", label: "in a year" },
  { value: "date", label: "on a day of choice" },
  { value: "never", label: "never" },
];

const DAY_MS = 86_400_000;

/** The moment as the service takes it; a chosen day counts to its end, here. */
export function expiry(kind: string, date: string, now: Date): string | null {
  if (kind === "never") return null;
  if (kind === "date") return new Date(`${date}T23:59:59`).toISOString();
  return new Date(now.getTime() + Number(kind) * DAY_MS).toISOString();
}
