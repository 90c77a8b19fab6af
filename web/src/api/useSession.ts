/** The session, as components see it. */
import { useEffect, useSyncExternalStore } from "react";

import { session } from "./session";

/** Whether somebody is signed in, and to which organization; asks the service once. */
export function useSession() {
  const status = useSyncExternalStore(session.subscribe, session.status);
  const organization = useSyncExternalStore(session.subscribe, session.organization);
  useEffect(() => {
    if (status === "unknown") void session.refresh();
  }, [status]);
  return { status, organization };
}
