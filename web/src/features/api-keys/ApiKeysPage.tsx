import { Badge, Table, Text, Tooltip } from "@mantine/core";
import { IconKey } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { $api } from "@/api/client";
import { apiKeys, changed, members } from "@/api/queries";
import type { ApiKey } from "@/api/types";
import { ConfirmButton } from "@/components/ConfirmButton";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";
import { TimeAgo } from "@/components/Time";
import { NewApiKey } from "./NewApiKey";
import { told } from "./scopes";

export function ApiKeysPage() {
  return (
    <Page title="API keys" description="For programs: a key acts in the name of whoever made it, within its scopes." actions={<Permitted to="api_keys:write"><NewApiKey /></Permitted>}>
      <Keys />
    </Page>
  );
}

function Keys() {
  const query = useQuery(apiKeys());
  const people = useQuery(members());
  const maker = (key: ApiKey) => people.data?.items.find(({ user_id }) => user_id === key.user_id)?.name ?? "";
  return (
    <Panel p={0}>
      <Loaded query={query}>
        {({ items }) =>
          items.length ? (
            <Table.ScrollContainer minWidth={760} type="native">
              <Table aria-label="API keys">
                <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>May</Table.Th><Table.Th>Made by</Table.Th><Table.Th>Created</Table.Th><Table.Th>Last used</Table.Th><Table.Th>Expires</Table.Th><Table.Th>Revoke</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>{items.map((key) => <Row key={key.id} apiKey={key} maker={maker(key)} />)}</Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          ) : (
            <EmptyState icon={<IconKey aria-hidden />} title="No key yet" text="Make one for a script, a scheduler or a deployment; it works wherever an access token does." />
          )
        }
      </Loaded>
    </Panel>
  );
}

function Row({ apiKey, maker }: { apiKey: ApiKey; maker: string }) {
  const revoke = $api.useMutation("delete", "/api/v1/api-keys/{id}", { onSuccess: () => changed.apiKeys() });
  const expired = apiKey.expires_at !== null && new Date(apiKey.expires_at) <= new Date();
  return (
    <Table.Tr>
      <Table.Td><Text size="sm" fw={600} className="break">{apiKey.name}</Text><Text size="xs" c="dimmed" className="mono">etf_{apiKey.id}_…</Text></Table.Td>
      <Table.Td><Tooltip multiline w={320} label={apiKey.scopes.join(", ")}><Text size="sm" tabIndex={0} lineClamp={2}>{told(apiKey.scopes)}</Text></Tooltip></Table.Td>
      <Table.Td className="break">{maker}</Table.Td>
      <Table.Td><TimeAgo value={apiKey.created_at} compact /></Table.Td>
      <Table.Td>{apiKey.last_used_at ? <TimeAgo value={apiKey.last_used_at} compact /> : <Text size="sm" c="dimmed">never</Text>}</Table.Td>
      <Table.Td>
        {expired && <Badge className="state state-red" variant="light" tt="none">expired</Badge>}
        {!expired && (apiKey.expires_at ? <TimeAgo value={apiKey.expires_at} compact /> : <Text size="sm" c="dimmed">never</Text>)}
      </Table.Td>
      <Table.Td>
        <Permitted to="api_keys:delete">
          <ConfirmButton label="Revoke" ariaLabel={`Revoke ${apiKey.name}`} button={{ size: "compact-xs" }} title={`Revoke ${apiKey.name}?`} confirm="Revoke" keep="Keep it" pending={revoke.isPending} error={revoke.error}
            text="Whatever uses the key is refused from now on. A revoked key cannot be brought back." onConfirm={() => revoke.mutate({ params: { path: { id: apiKey.id } } })} />
        </Permitted>
      </Table.Td>
    </Table.Tr>
  );
}
