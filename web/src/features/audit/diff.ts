/** What an entry of the audit says has changed, field by field. */

type Values = Record<string, unknown>;

export interface FieldChange {
  /** Dotted: `config.resources`. */
  field: string;
  kind: "changed" | "added" | "removed";
  before?: string;
  after?: string;
}

/** Fields that differ, in the order in which they are first seen. What is equal is left out. */
export function fieldChanges(before: Values | null | undefined, after: Values | null | undefined): FieldChange[] {
  const old = flat(before ?? {});
  const now = flat(after ?? {});
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((field): FieldChange[] => {
    const [was, is] = [old.get(field), now.get(field)];
    if (was === is) return [];
    if (was === undefined) return [{ field, kind: "added", after: is }];
    if (is === undefined) return [{ field, kind: "removed", before: was }];
    return [{ field, kind: "changed", before: was, after: is }];
  });
}

/** Objects are opened, lists are one value: `{a: {b: 1}}` is `a.b` = `1`. */
function flat(values: Values, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(values)) {
    const field = prefix + name;
    if (isObject(value) && Object.keys(value).length) {
      for (const [inner, text] of flat(value, `${field}.`)) found.set(inner, text);
    } else {
      found.set(field, text(value));
    }
  }
  return found;
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  if (typeof value === "string") return value === "" ? '""' : value;
  return JSON.stringify(value) ?? "null";
}
