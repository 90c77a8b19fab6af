import { Button, Group, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed, invitations } from "@/api/queries";
import type { Invitation, Role } from "@/api/types";
import { ConfirmButton } from "@/components/ConfirmButton";
import { CopyField } from "@/components/CopyField";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { TimeAgo } from "@/components/Time";
import { ROLES } from "./roles";

/** Inviting somebody, and the invitations that nobody has accepted yet. */
export function Invitations() {
  const query = useQuery(invitations());
  const [made, setMade] = useState<Invitation | null>(null);
  return (
    <Panel title="Invitations">
      <Stack>
        <InviteForm onMade={setMade} />
        {made && <Sent invitation={made} />}
        <Loaded query={query} lines={2}>
          {({ items }) =>
            items.length ? <Pending invitations={items} onMade={setMade} onRevoked={(id) => id === made?.id && setMade(null)} /> : <Text size="sm" c="dimmed">No invitation is open.</Text>
          }
        </Loaded>
      </Stack>
    </Panel>
  );
}

function InviteForm({ onMade }: { onMade: (invitation: Invitation) => void }) {
  const form = useForm({ initialValues: { email: "", role: "editor" as Role } });
  const invite = $api.useMutation("post", "/api/v1/invitations", {
    onSuccess: async (made) => {
      form.reset();
      onMade(made);
      await changed.members();
    },
    onError: (error) => form.setErrors(fieldErrors(error)),
  });
  return (
    <form onSubmit={form.onSubmit((body) => invite.mutate({ body }))}>
      <Stack gap="sm">
        <Group align="flex-start">
          <TextInput label="E-mail of the new member" type="email" required miw={260} {...form.getInputProps("email")} />
          <Select label="Role" data={ROLES} allowDeselect={false} w={140} {...form.getInputProps("role")} />
          <Button type="submit" loading={invite.isPending} mt={25}>Invite</Button>
        </Group>
        <ErrorAlert error={invite.error} />
      </Stack>
    </form>
  );
}

/** How the invitation reaches the person: by e-mail, or by a link to hand over. */
function Sent({ invitation }: { invitation: Invitation }) {
  return (
    <div role="status" data-testid="invitation-made">
      {invitation.link ? (
        <CopyField label={`Link for ${invitation.email}`} value={invitation.link}
          description="This installation sends no e-mail. Hand the link over yourself, to nobody else: whoever has it can join. It is shown only now." />
      ) : (
        <Text size="sm">{invitation.mailed ? `An e-mail is on its way to ${invitation.email}.` : `The e-mail to ${invitation.email} could not be sent; try again below.`}</Text>
      )}
    </div>
  );
}

function Pending({ invitations: list, onMade, onRevoked }: { invitations: Invitation[]; onMade: (invitation: Invitation) => void; onRevoked: (id: number) => void }) {
  return (
    <Table.ScrollContainer minWidth={640} type="native">
      <Table aria-label="Open invitations">
        <Table.Thead><Table.Tr><Table.Th>E-mail</Table.Th><Table.Th>Role</Table.Th><Table.Th>Expires</Table.Th><Table.Th>Actions</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>{list.map((item) => <Row key={item.id} invitation={item} onMade={onMade} onRevoked={onRevoked} />)}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ invitation, onMade, onRevoked }: { invitation: Invitation; onMade: (invitation: Invitation) => void; onRevoked: (id: number) => void }) {
  const params = { path: { id: invitation.id } };
  const resend = $api.useMutation("post", "/api/v1/invitations/{id}/resend", {
    onSuccess: async (made) => {
      onMade(made);
      notifications.show({ message: made.link ? "There is a new link; the old one no longer works." : `Sent again to ${made.email}.` });
      await changed.members();
    },
  });
  const revoke = $api.useMutation("delete", "/api/v1/invitations/{id}", {
    onSuccess: async () => {
      onRevoked(invitation.id);
      await changed.members();
    },
  });
  return (
    <Table.Tr>
      <Table.Td className="break">{invitation.email}</Table.Td>
      <Table.Td>{invitation.role}</Table.Td>
      <Table.Td><TimeAgo value={invitation.expires_at} /></Table.Td>
      <Table.Td>
        <Group gap="xs">
          <Button size="compact-xs" variant="default" loading={resend.isPending} aria-label={`Send again to ${invitation.email}`} onClick={() => resend.mutate({ params })}>Send again</Button>
          <ConfirmButton label="Revoke" ariaLabel={`Revoke the invitation of ${invitation.email}`} button={{ size: "compact-xs" }} title="Revoke the invitation?" confirm="Revoke" pending={revoke.isPending} error={revoke.error}
            text={`The link that ${invitation.email} has stops working.`} onConfirm={(done) => revoke.mutate({ params }, { onSuccess: done })} />
        </Group>
        <ErrorAlert error={resend.error} />
      </Table.Td>
    </Table.Tr>
  );
}
