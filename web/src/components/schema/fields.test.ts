import { describe, expect, it } from "vitest";

import { fields, initialValues, outgoing, validate, type JsonSchema } from "./fields";

const schema: JsonSchema = {
  type: "object",
  required: ["host", "password"],
  properties: {
    host: { type: "string", title: "Host", description: "Host name." },
    port: { type: "integer", default: 5432, minimum: 1 },
    base_url: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
    mode: { $ref: "#/$defs/Mode", default: "prefer" },
    header: { type: "boolean", default: true },
    nulls: { type: "array", items: { type: "string" }, default: [""] },
    extra: { type: "object" },
    password: { type: "string", format: "password" },
  },
  $defs: { Mode: { enum: ["disable", "prefer"], type: "string" } },
};

describe("fields", () => {
  const list = fields(schema);
  const by = Object.fromEntries(list.map((field) => [field.name, field]));

  it("chooses the control by type, format, enum and reference", () => {
    expect(list.map(({ name, kind }) => [name, kind])).toEqual([
      ["host", "text"], ["port", "number"], ["base_url", "text"], ["mode", "select"],
      ["header", "switch"], ["nulls", "list"], ["extra", "json"], ["password", "password"],
    ]);
  });

  it("labels in plain words, keeps defaults, options and nullability", () => {
    expect(by.base_url).toMatchObject({ label: "Base URL", nullable: true, initial: "" });
    expect(by.mode).toMatchObject({ options: ["disable", "prefer"], initial: "prefer" });
    expect(by.host).toMatchObject({ required: true, description: "Host name." });
  });

  it("leaves empty optional values out and reads JSON", () => {
    const values = { ...initialValues(list), host: "db", password: "p", extra: '{"a": 1}' };
    expect(outgoing(list, values)).toEqual({
      host: "db", port: 5432, mode: "prefer", header: true, nulls: [""], extra: { a: 1 }, password: "p",
    });
  });

  it("names what is missing or unreadable", () => {
    expect(validate(list, { ...initialValues(list), extra: "{" })).toEqual({
      host: "Host is required",
      password: "Password is required",
      extra: "Extra is not valid JSON",
    });
  });
});
