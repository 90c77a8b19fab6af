import { Center, Loader } from "@mantine/core";
import { useEffect, useState } from "react";
import { Navigate, Outlet, useLocation, useNavigate, useSearchParams } from "react-router";

import { useSession } from "@/api/useSession";

function Waiting() {
  return (
    <Center component="main" h="100vh">
      <Loader aria-label="Loading" role="status" />
    </Center>
  );
}

/** Lets signed-in people through; others sign in and come back to where they wanted to go. */
export function SignedIn() {
  const { status, organization } = useSession();
  const { pathname, search } = useLocation();
  if (status === "unknown") return <Waiting />;
  if (status === "signed-in") return <InOrganization organization={organization} />;
  const next = pathname === "/" ? "" : `?next=${encodeURIComponent(pathname + search)}`;
  return <Navigate to={`/sign-in${next}`} replace />;
}

/** When the organization changes, in this tab or in another, every page goes: home, and afresh. */
function InOrganization({ organization }: { organization: string | null }) {
  const [entered, setEntered] = useState(organization);
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const leaving = entered !== organization;
  if (leaving && pathname === "/") setEntered(organization);
  useEffect(() => {
    if (leaving) void navigate("/", { replace: true });
  }, [leaving, navigate]);
  return leaving ? <Waiting /> : <Outlet key={entered} />;
}

/** The pages for people who are not signed in. */
export function SignedOut() {
  const { status } = useSession();
  const [params] = useSearchParams();
  const next = params.get("next") ?? "/";
  if (status === "unknown") return <Waiting />;
  if (status === "signed-out") return <Outlet />;
  // Only a path of this site: "//host" and "https:" would lead away.
  return <Navigate to={/^\/(?![/\\])/.test(next) ? next : "/"} replace />;
}
