import { Badge, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { $api } from "@/api/client";
import { changed, sessions } from "@/api/queries";
import type { LoginSession } from "@/api/types";
import { ConfirmButton } from "@/components/ConfirmButton";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { TimeAgo } from "@/components/Time";
import { deviceName } from "./device";

/** Where the person is signed in; each session can be ended from here. */
export function Sessions() {
  const query = useQuery(sessions());
  const others = (query.data?.items.length ?? 0) > 1;
  return (
    <Panel title="Sessions" p={0} actions={others && <EndOthers />}>
      <Loaded query={query}>
        {({ items }) => (
          <Table.ScrollContainer minWidth={680} type="native">
            <Table aria-label="Sessions">
              <Table.Thead><Table.Tr><Table.Th>Device</Table.Th><Table.Th>By</Table.Th><Table.Th>Address</Table.Th><Table.Th>Signed in</Table.Th><Table.Th>Last used</Table.Th><Table.Th>End</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>{items.map((item) => <Row key={item.id} session={item} />)}</Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
    </Panel>
  );
}

function Row({ session }: { session: LoginSession }) {
  const end = $api.useMutation("delete", "/api/v1/me/sessions/{id}", { onSuccess: () => changed.me() });
  return (
    <Table.Tr data-session={session.current ? "current" : "other"}>
      <Table.Td>
        <Text size="sm" fw={600} title={session.user_agent ?? undefined}>{deviceName(session.user_agent)} {session.current && <Badge className="state state-teal" variant="light" tt="none" size="sm">this one</Badge>}</Text>
        <Text size="xs" c="dimmed" className="break">in {session.organization.name}</Text>
      </Table.Td>
      <Table.Td>{session.method}</Table.Td>
      <Table.Td className="nowrap">{session.address ?? "–"}</Table.Td>
      <Table.Td><TimeAgo value={session.created_at} compact /></Table.Td>
      <Table.Td><TimeAgo value={session.last_used_at} compact /></Table.Td>
      <Table.Td>
        {!session.current && (
          <ConfirmButton label="End" ariaLabel={`End the session on ${deviceName(session.user_agent)}`} button={{ size: "compact-xs" }} title="End this session?" confirm="End it" pending={end.isPending} error={end.error}
            text={`${deviceName(session.user_agent)} at ${session.address ?? "an unknown address"} is signed out at once.`} onConfirm={() => end.mutate({ params: { path: { id: session.id } } })} />
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function EndOthers() {
  const end = $api.useMutation("delete", "/api/v1/me/sessions", { onSuccess: () => changed.me() });
  return (
    <ConfirmButton label="End all others" button={{ size: "xs" }} title="End all other sessions?" confirm="End them" pending={end.isPending} error={end.error}
      text="Every browser and command line but this one is signed out at once." onConfirm={(done) => end.mutate({}, { onSuccess: done })} />
  );
}
