/** Turns the JSON Schema of a connector's config or secrets into a list of form fields. */

export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
}

export type FieldKind = "text" | "password" | "number" | "switch" | "select" | "list" | "json";

export interface Field {
  name: string;
  label: string;
  kind: FieldKind;
  required: boolean;
  nullable: boolean;
  description?: string;
  initial: unknown;
  options: string[];
  integer: boolean;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
}

/** The fields of an object schema, in the order in which the schema names them. */
export function fields(schema: JsonSchema): Field[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const [plain, nullable] = withoutNull(resolve(property, schema), schema);
    return field(name, { ...plain, ...own(property) }, required.has(name), nullable);
  });
}

/** What the form starts with. */
export function initialValues(list: Field[]): Record<string, unknown> {
  return Object.fromEntries(list.map(({ name, initial }) => [name, initial]));
}

/** What is sent: empty optional texts and numbers are left out, JSON texts are read. */
export function outgoing(list: Field[], values: Record<string, unknown>): Record<string, unknown> {
  const sent: Record<string, unknown> = {};
  for (const { name, kind, required } of list) {
    const value = values[name];
    if (!required && (value === "" || value === null || value === undefined)) continue;
    sent[name] = kind === "json" && typeof value === "string" ? JSON.parse(value) : value;
  }
  return sent;
}

/** What can be said before the service is asked: required fields and JSON that does not parse. */
export function validate(list: Field[], values: Record<string, unknown>): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const { name, label, kind, required } of list) {
    const value = values[name];
    const empty = value === "" || value === null || value === undefined || (Array.isArray(value) && !value.length);
    if (required && empty && kind !== "switch") errors[name] = `${label} is required`;
    if (kind === "json" && typeof value === "string" && value && !parses(value)) errors[name] = `${label} is not valid JSON`;
  }
  return errors;
}

function own({ title, description, default: initial }: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries({ title, description, default: initial }).filter(([, v]) => v !== undefined));
}

function resolve(property: JsonSchema, root: JsonSchema): JsonSchema {
  const name = property.$ref?.split("/").at(-1);
  return name ? (root.$defs?.[name] ?? {}) : property;
}

function withoutNull(property: JsonSchema, root: JsonSchema): [JsonSchema, boolean] {
  if (!property.anyOf) return [property, false];
  const choices = property.anyOf.map((choice) => resolve(choice, root)).filter(({ type }) => type !== "null");
  return [choices.length === 1 ? choices[0]! : {}, choices.length < property.anyOf.length];
}

function kindOf(property: JsonSchema): FieldKind {
  if (property.format === "password") return "password";
  if (property.enum) return "select";
  if (property.type === "boolean") return "switch";
  if (property.type === "integer" || property.type === "number") return "number";
  if (property.type === "array") return property.items?.type === "string" || property.items?.type === "integer" ? "list" : "json";
  return property.type === "string" ? "text" : "json";
}

function field(name: string, property: JsonSchema, required: boolean, nullable: boolean): Field {
  const kind = kindOf(property);
  return {
    name,
    kind,
    required,
    nullable,
    label: spoken(property.title ?? name),
    description: property.description,
    initial: startingValue(kind, property.default),
    options: (property.enum ?? []).map(String),
    integer: property.type === "integer",
    minimum: property.minimum,
    maximum: property.maximum,
    maxLength: property.maxLength,
  };
}

function startingValue(kind: FieldKind, given: unknown): unknown {
  if (given !== undefined && given !== null) return kind === "json" ? JSON.stringify(given, null, 2) : given;
  return { switch: false, list: [], select: null }[kind as string] ?? "";
}

const SPELLED: Record<string, string> = { api: "API", url: "URL", ssl: "SSL", id: "ID", sql: "SQL", sslmode: "SSL mode", ca: "CA" };

/** "api_base_url" and "Api Base Url" are both "API base URL". */
function spoken(title: string): string {
  const words = title.replaceAll("_", " ").trim().toLowerCase().split(/\s+/);
  const text = words.map((word) => SPELLED[word] ?? word).join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
