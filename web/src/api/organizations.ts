/** Moving between the organizations of a person. */
import { client } from "./client";
import { signOut } from "./queries";
import { session } from "./session";
import type { Me } from "./types";

/** Signs in to another organization of the caller; pages and other tabs begin anew. */
export async function switchTo(slug: string): Promise<void> {
  const { data } = await client.POST("/api/v1/auth/switch", { body: { organization: slug } });
  session.enter(data!);
}

/** After the current organization was left or deleted: on to another one, or out. */
export async function enterAnother(me: Me): Promise<void> {
  const next = me.memberships.find(({ organization }) => organization.id !== me.organization.id);
  await (next ? switchTo(next.organization.slug) : signOut());
}
