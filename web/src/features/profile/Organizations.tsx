import { Button, Group, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";

import { $api } from "@/api/client";
import { changed, deletedOrganizations } from "@/api/queries";
import type { DeletedOrganization } from "@/api/types";
import { ConfirmButton } from "@/components/ConfirmButton";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { TimeAgo } from "@/components/Time";

/** Deleted organizations of which the person is owner, while they can still be restored. */
export function Organizations() {
  const query = useQuery(deletedOrganizations());
  if (query.data && !query.data.items.length) return null;
  return (
    <Panel title="Deleted organizations" p={0}>
      <Loaded query={query} lines={2}>
        {({ items }) => (
          <Table.ScrollContainer minWidth={560} type="native">
            <Table aria-label="Deleted organizations">
              <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>Can be restored until</Table.Th><Table.Th>Actions</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>{items.map((item) => <Row key={item.id} organization={item} />)}</Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
    </Panel>
  );
}

function Row({ organization }: { organization: DeletedOrganization }) {
  const path = { id: organization.id };
  const restore = $api.useMutation("post", "/api/v1/organizations/{id}/restore", {
    onSuccess: async () => {
      notifications.show({ message: `${organization.name} is back; it stands in the list of your organizations.` });
      await changed.organization();
    },
  });
  const purge = $api.useMutation("delete", "/api/v1/organizations/{id}", { onSuccess: () => changed.organization() });
  return (
    <Table.Tr>
      <Table.Td><Text size="sm" fw={600} className="break">{organization.name}</Text><Text size="xs" c="dimmed" className="mono">{organization.slug}</Text></Table.Td>
      <Table.Td><TimeAgo value={organization.purge_after} /></Table.Td>
      <Table.Td>
        <Group gap="xs">
          <Button size="compact-sm" variant="default" loading={restore.isPending} aria-label={`Restore ${organization.name}`} onClick={() => restore.mutate({ params: { path } })}>Restore</Button>
          <ConfirmButton label="Erase now…" ariaLabel={`Erase ${organization.name} now`} button={{ size: "compact-sm" }} title={`Erase ${organization.name} for good?`} confirm="Erase everything" keep="Keep it" typed={organization.slug} pending={purge.isPending} error={purge.error}
            text="Its pipelines, runs, keys and tables in the warehouse are erased now. Nobody can bring them back."
            onConfirm={() => purge.mutate({ params: { path, query: { confirm: organization.slug } } })} />
        </Group>
        <ErrorAlert error={restore.error} />
      </Table.Td>
    </Table.Tr>
  );
}
