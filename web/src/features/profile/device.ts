/** A device in two words, from what a program says of itself. It is only a hint: anyone can lie. */

const PROGRAMS: [RegExp, string][] = [
  [/etlfabric/i, "etlfabric command"],
  [/Edg\//, "Edge"],
  [/Firefox\//, "Firefox"],
  [/Chrome\//, "Chrome"],
  [/Safari\//, "Safari"],
  [/python|httpx|curl/i, "a program"],
];
const SYSTEMS: [RegExp, string][] = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
];

const first = (list: [RegExp, string][], text: string) => list.find(([pattern]) => pattern.test(text))?.[1];

export function deviceName(userAgent: string | null | undefined): string {
  const program = first(PROGRAMS, userAgent ?? "") ?? "Unknown device";
  const system = first(SYSTEMS, userAgent ?? "");
  return system ? `${program} on ${system}` : program;
}
