import { Button, Group, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { $api } from "@/api/client";
import { changed, identities, providers } from "@/api/queries";
import type { Identity } from "@/api/types";
import { ConfirmButton } from "@/components/ConfirmButton";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { TimeAgo } from "@/components/Time";

/** Providers at which the person can sign in instead of a password. */
export function SignIns() {
  const known = useQuery(providers());
  const linked = useQuery(identities());
  if (known.data && linked.data && !known.data.items.length && !linked.data.items.length) return null;
  const label = (provider: string) => known.data?.items.find(({ name }) => name === provider)?.label ?? provider;
  return (
    <Panel title="Linked sign-ins">
      <Text size="sm" c="dimmed" mb="sm">Ways to sign in without a password.</Text>
      <Loaded query={linked} lines={2}>
        {({ items }) => (
          <>
            {items.length > 0 && (
              <Table.ScrollContainer minWidth={480} type="native">
                <Table aria-label="Linked sign-ins">
                  <Table.Thead><Table.Tr><Table.Th>Provider</Table.Th><Table.Th>As</Table.Th><Table.Th>Linked</Table.Th><Table.Th>Unlink</Table.Th></Table.Tr></Table.Thead>
                  <Table.Tbody>{items.map((item) => <Row key={item.id} identity={item} label={label(item.provider)} />)}</Table.Tbody>
                </Table>
              </Table.ScrollContainer>
            )}
            <Group mt={items.length ? "sm" : 0}>
              {(known.data?.items ?? [])
                .filter(({ name }) => !items.some(({ provider }) => provider === name))
                .map((provider) => <Link key={provider.name} {...provider} />)}
            </Group>
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function Row({ identity, label }: { identity: Identity; label: string }) {
  const unlink = $api.useMutation("delete", "/api/v1/me/identities/{id}", { onSuccess: () => changed.me() });
  return (
    <Table.Tr>
      <Table.Td>{label}</Table.Td>
      <Table.Td className="break">{identity.email}</Table.Td>
      <Table.Td><TimeAgo value={identity.created_at} compact /></Table.Td>
      <Table.Td>
        <ConfirmButton label="Unlink" ariaLabel={`Unlink ${label}`} button={{ size: "compact-xs" }} title={`Unlink ${label}?`} confirm="Unlink" pending={unlink.isPending} error={unlink.error}
          text={`You can no longer sign in with ${label}. Your account stays.`} onConfirm={() => unlink.mutate({ params: { path: { id: identity.id } } })} />
      </Table.Td>
    </Table.Tr>
  );
}

function Link({ name, label }: { name: string; label: string }) {
  const begin = $api.useMutation("post", "/api/v1/me/identities/{provider}", { onSuccess: ({ url }) => window.location.assign(url) });
  return (
    <>
      <Button variant="default" loading={begin.isPending} onClick={() => begin.mutate({ params: { path: { provider: name } } })}>Link {label}</Button>
      <ErrorAlert error={begin.error} />
    </>
  );
}
