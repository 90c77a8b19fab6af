/** Roles in words, the strongest first. */
import type { Role } from "@/api/types";

export const ROLES: { value: Role; label: string }[] = [
  { value: "owner", label: "owner" },
  { value: "admin", label: "admin" },
  { value: "editor", label: "editor" },
  { value: "viewer", label: "viewer" },
];

export const MEANINGS: Record<Role, string> = {
  owner: "everything, members and settings too",
  admin: "builds, deletes, sees the audit",
  editor: "builds and runs, deletes nothing",
  viewer: "looks",
};
