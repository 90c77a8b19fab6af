import { expect, test } from "vitest";

import type { Permission } from "@/api/types";
import { actionsByNoun } from "@/components/permissions";
import { PRESETS, sameScopes, told } from "./scopes";

const EDITOR: Permission[] = ["members:read", "pipelines:read", "pipelines:write", "runs:execute", "runs:read", "workflows:read"];
const ADMIN: Permission[] = [...EDITOR, "api_keys:read", "api_keys:write", "audit:read", "pipelines:delete"];

const preset = (label: string) => PRESETS.find((one) => one.label === label)!;

test("no preset offers more than its maker has", () => {
  for (const own of [[], EDITOR, ADMIN]) {
    for (const { scopes } of PRESETS) for (const scope of scopes(own)) expect(own).toContain(scope);
  }
});

test("read only changes nothing and does not look at people, keys or the audit", () => {
  expect(preset("Read only").scopes(ADMIN)).toEqual(["pipelines:read", "runs:read", "workflows:read"]);
});

test("a viewer's key cannot run workflows", () => {
  expect(preset("Run workflows").scopes(ADMIN)).toEqual(["workflows:read", "runs:read", "runs:execute"]);
  expect(preset("Run workflows").scopes(["workflows:read", "runs:read"])).not.toContain("runs:execute");
});

test("the order of scopes does not matter", () => {
  expect(sameScopes(["runs:read", "runs:execute"], ["runs:execute", "runs:read"])).toBe(true);
  expect(sameScopes(["runs:read"], ["runs:execute"])).toBe(false);
  expect(sameScopes(["runs:read"], [])).toBe(false);
});

test("scopes are grouped by noun, the mildest action first", () => {
  expect([...actionsByNoun(["pipelines:delete", "runs:execute", "pipelines:write", "pipelines:read", "runs:read"])]).toEqual([
    ["pipelines", ["read", "write", "delete"]],
    ["runs", ["read", "execute"]],
  ]);
});

test("a key is told by what it can change", () => {
  expect(told(["runs:read"])).toBe("reads 1 thing");
  expect(told(["runs:read", "runs:execute", "api_keys:write"])).toBe("runs execute, api keys write");
});
