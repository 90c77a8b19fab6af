import { Center, Loader } from "@mantine/core";
import { useEffect, useSyncExternalStore } from "react";
import { Navigate, Outlet, useLocation, useSearchParams } from "react-router";

import { queryClient } from "@/api/client";
import { session } from "@/api/session";

function useSession() {
  const status = useSyncExternalStore(session.subscribe, session.status);
  useEffect(() => {
    if (status === "unknown") void session.refresh();
    if (status === "signed-out") queryClient.clear();
  }, [status]);
  return status;
}

function Waiting() {
  return (
    <Center component="main" h="100vh">
      <Loader aria-label="Loading" role="status" />
    </Center>
  );
}

/** Lets signed-in people through; others sign in and come back to where they wanted to go. */
export function SignedIn() {
  const status = useSession();
  const { pathname, search } = useLocation();
  if (status === "unknown") return <Waiting />;
  if (status === "signed-in") return <Outlet />;
  const next = pathname === "/" ? "" : `?next=${encodeURIComponent(pathname + search)}`;
  return <Navigate to={`/sign-in${next}`} replace />;
}

/** The pages for people who are not signed in. */
export function SignedOut() {
  const status = useSession();
  const [params] = useSearchParams();
  const next = params.get("next") ?? "/";
  if (status === "unknown") return <Waiting />;
  if (status === "signed-out") return <Outlet />;
  // Only a path of this site: "//host" and "https:" would lead away.
  return <Navigate to={/^\/(?![/\\])/.test(next) ? next : "/"} replace />;
}
