import { describe, expect, it } from "vitest";

import { fields, initialValues, outgoing, validate, type JsonSchema } from "./fields";

const rest: JsonSchema = {
  type: "object",
  required: ["base_url"],
  properties: {
    base_url: { type: "string", pattern: "^https?://", title: "Base Url" } as JsonSchema,
    headers: { type: "object", title: "Headers", additionalProperties: { type: "string" } } as JsonSchema,
    auth: { type: "string", enum: ["none", "bearer", "oauth2_client_credentials"], default: "none", title: "Auth" },
    token_url: { type: "string", default: "", title: "Token Url" },
  },
};

const s3: JsonSchema = {
  type: "object",
  required: ["bucket"],
  properties: {
    bucket: { type: "string", title: "Bucket" },
    endpoint_url: { type: "string", default: "", title: "Endpoint Url" },
    path_style: { type: "boolean", default: true, title: "Path Style" },
  },
};

describe("forms of connectors that name a URL", () => {
  it("asks for the headers of a REST API as JSON and for its auth kind as a choice", () => {
    const list = fields(rest);
    expect(list.map(({ name, kind, label }) => [name, kind, label])).toEqual([
      ["base_url", "text", "Base URL"],
      ["headers", "json", "Headers"],
      ["auth", "select", "Auth"],
      ["token_url", "text", "Token URL"],
    ]);
    const given = { ...initialValues(list), base_url: "https://api.example.com", headers: '{"X-Team": "a"}' };
    expect(outgoing(list, given)).toEqual({ base_url: "https://api.example.com", headers: { "X-Team": "a" }, auth: "none" });
  });

  it("leaves Amazon's own endpoint out", () => {
    const list = fields(s3);
    expect(validate(list, initialValues(list))).toEqual({ bucket: "Bucket is required" });
    expect(outgoing(list, { ...initialValues(list), bucket: "b" })).toEqual({ bucket: "b", path_style: true });
  });
});
