/** Permissions in words. */
import type { Permission } from "@/api/types";

const ORDER = ["read", "write", "delete", "publish", "execute"];

/** "api_keys:read" → "api_keys" with "read"; actions from the mildest on. */
export function actionsByNoun(permissions: readonly Permission[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const permission of permissions) {
    const [noun = "", action = ""] = permission.split(":");
    found.set(noun, [...(found.get(noun) ?? []), action]);
  }
  for (const actions of found.values()) actions.sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  return found;
}
