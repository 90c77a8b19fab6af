import { Badge, Select, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { $api, client } from "@/api/client";
import { enterAnother } from "@/api/organizations";
import { changed } from "@/api/queries";
import type { Member, Role } from "@/api/types";
import { useMay, useMe } from "@/api/useMe";
import { ConfirmButton, ConfirmModal } from "@/components/ConfirmButton";
import { ErrorAlert } from "@/components/ErrorAlert";
import { ROLES } from "./roles";

/** Everyone in the organization; owners change roles, and everyone may leave. */
export function MemberTable({ members }: { members: Member[] }) {
  const me = useMe();
  const may = useMay();
  return (
    <Table.ScrollContainer minWidth={620} type="native" role="region" aria-label="All members">
      <Table aria-label="Members">
        <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>E-mail</Table.Th><Table.Th w={180}>Role</Table.Th><Table.Th w={130}>Membership</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {members.map((member) => (
            <Table.Tr key={member.id}>
              <Table.Td><Text size="sm" fw={600} className="break">{member.name}{member.user_id === me.user.id && <Text span c="dimmed" size="sm"> (you)</Text>}</Text></Table.Td>
              <Table.Td className="break">{member.email}</Table.Td>
              <Table.Td>{may("members:write") ? <RoleSelect member={member} isMe={member.user_id === me.user.id} /> : <Badge variant="default" tt="none">{member.role}</Badge>}</Table.Td>
              <Table.Td>
                {member.user_id === me.user.id ? <Leave /> : may("members:write") && <Remove member={member} />}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function RoleSelect({ member, isMe }: { member: Member; isMe: boolean }) {
  const [asked, setAsked] = useState<Role | null>(null);
  const change = $api.useMutation("patch", "/api/v1/members/{id}", {
    onSuccess: async (now) => {
      setAsked(null);
      await changed.members();
      notifications.show({ message: `${now.name} is now ${now.role}.` });
    },
  });
  const save = (role: Role) => change.mutate({ params: { path: { id: member.id } }, body: { role } });
  return (
    <>
      <Select aria-label={`Role of ${member.name}`} data={ROLES} value={member.role} allowDeselect={false} disabled={change.isPending}
        onChange={(role) => role && role !== member.role && (isMe ? setAsked(role as Role) : save(role as Role))} />
      {!isMe && <ErrorAlert error={change.error} />}
      <ConfirmModal opened={asked !== null} onClose={() => setAsked(null)} title="Change your own role?" confirm="Change my role" pending={change.isPending} error={change.error}
        text={`You become ${asked}. To be owner again, another owner must make you one.`} onConfirm={() => asked && save(asked)} />
    </>
  );
}

function Remove({ member }: { member: Member }) {
  const remove = $api.useMutation("delete", "/api/v1/members/{id}", { onSuccess: () => changed.members() });
  return (
    <ConfirmButton label="Remove" ariaLabel={`Remove ${member.name}`} button={{ size: "xs" }} title={`Remove ${member.name}?`} confirm="Remove" pending={remove.isPending} error={remove.error}
      text={`${member.email} can no longer open this organization, and the API keys that they made end. What they built stays.`}
      onConfirm={(done) => remove.mutate({ params: { path: { id: member.id } } }, { onSuccess: done })} />
  );
}

function Leave() {
  const me = useMe();
  const leave = useMutation({
    mutationFn: async () => {
      await client.DELETE("/api/v1/members/me");
      await enterAnother(me);
    },
  });
  return (
    <ConfirmButton label="Leave" ariaLabel="Leave the organization" button={{ size: "xs" }} title={`Leave ${me.organization.name}?`} confirm="Leave" keep="Stay" pending={leave.isPending} error={leave.error}
      text="You can no longer open this organization, and the API keys that you made here end. To come back you need an invitation." onConfirm={() => leave.mutate()} />
  );
}
