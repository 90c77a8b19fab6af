import { Button, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "react-router";

import { $api, client } from "@/api/client";
import { me, signOut } from "@/api/queries";
import { session } from "@/api/session";
import type { InvitationLook } from "@/api/types";
import { useSession } from "@/api/useSession";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Notice } from "@/components/Notice";
import { absolute } from "@/components/time";
import { AcceptForm } from "./AcceptForm";
import { AuthCard } from "./AuthCard";
import { IncompleteLink } from "./ResetPasswordPage";
import { useLinkToken } from "./useLinkToken";

/** Who invites to what, and the way in for each kind of visitor. */
export function InvitationPage() {
  const { token, forget } = useLinkToken();
  const query = useQuery({
    queryKey: ["invitation", token],
    enabled: Boolean(token),
    retry: false,
    queryFn: async ({ signal }) => {
      const { data } = await client.POST("/api/v1/auth/invitations/look", { signal, body: { token } });
      return data!;
    },
  });
  if (!token) return <IncompleteLink />;
  return (
    <AuthCard title={query.data ? `Join ${query.data.organization.name}` : "An invitation"}>
      <Loaded query={query}>{(invitation) => <Opened token={token} invitation={invitation} onUsed={forget} />}</Loaded>
    </AuthCard>
  );
}

function Opened({ token, invitation, onUsed }: { token: string; invitation: InvitationLook; onUsed: () => void }) {
  const { status } = useSession();
  const navigate = useNavigate();
  const accept = $api.useMutation("post", "/api/v1/auth/invitations/accept", {
    onSuccess: (grant) => {
      onUsed();
      session.enter(grant);
      void navigate("/", { replace: true });
    },
  });
  return (
    <Stack>
      <Text size="sm" className="break">
        You are invited to the organization <b>{invitation.organization.name}</b> as <b>{invitation.role}</b>, with the address <b>{invitation.email}</b>.
        The invitation is good until {absolute(new Date(invitation.expires_at))}.
      </Text>
      {status === "signed-in" && <AsSomebody invitation={invitation} pending={accept.isPending} error={accept.error} onAccept={() => accept.mutate({ body: { token } })} />}
      {status === "signed-out" && (
        <AcceptForm invitation={invitation} pending={accept.isPending} error={accept.error} onAccept={(answers) => accept.mutate({ body: { token, ...answers } })} />
      )}
    </Stack>
  );
}

function AsSomebody({ invitation, pending, error, onAccept }: { invitation: InvitationLook; pending: boolean; error: unknown; onAccept: () => void }) {
  const who = useQuery(me());
  return (
    <Loaded query={who} lines={2}>
      {({ user }) =>
        user.email === invitation.email ? (
          <>
            <ErrorAlert error={error} />
            <Button loading={pending} onClick={onAccept}>Accept as {user.name}</Button>
          </>
        ) : (
          <>
            <Notice>
              You are signed in as <b>{user.email}</b>, but the invitation is for <b>{invitation.email}</b>. Sign out here to accept it; you stay at this page.
            </Notice>
            <Button variant="default" onClick={() => void signOut()}>Sign out</Button>
          </>
        )
      }
    </Loaded>
  );
}
