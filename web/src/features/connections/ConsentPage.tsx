import { Anchor, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useEffect, useRef } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";

import { $api } from "@/api/client";
import { changed } from "@/api/queries";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Page, Panel } from "@/components/Page";

/** Where a provider sends a person back to: the code goes to the connection that asked for it. */
export function ConsentPage() {
  const [answer] = useSearchParams();
  const navigate = useNavigate();
  const begun = useRef(false);
  const finish = $api.useMutation("put", "/api/v1/connections/{id}/consent", {
    onSuccess: async (found) => {
      await navigate(`/connections/${found.id}`, { replace: true });
      await changed.connections();
      notifications.show({ message: "Signed in. Test the connection now." });
    },
  });
  const state = answer.get("state") ?? "";
  const code = answer.get("code");
  const id = Number.parseInt(state, 10);
  const { mutate } = finish;
  useEffect(() => {
    if (begun.current || !code || Number.isNaN(id)) return;
    begun.current = true; // a code is worth something once
    mutate({ params: { path: { id } }, body: { code, state } });
  }, [code, id, state, mutate]);
  const back = Number.isNaN(id) ? "/connections" : `/connections/${id}`;
  return (
    <Page title="Sign in for a connection" crumbs={[{ label: "Connections", to: "/connections" }]}>
      <Panel>
        {code ? <Text>{finish.isError ? "The sign-in came to nothing." : "One moment …"}</Text> : <Text>The consent was not given: {answer.get("error") ?? "this address is incomplete"}.</Text>}
        <ErrorAlert error={finish.error} />
        {(finish.isError || !code) && <Anchor component={Link} to={back}>Back to the connection</Anchor>}
      </Panel>
    </Page>
  );
}
