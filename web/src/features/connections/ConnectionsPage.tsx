import { Anchor, Button, Table, Text, TextInput } from "@mantine/core";
import { IconPlugConnected, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { connections } from "@/api/queries";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";
import { StateBadge } from "@/components/StateBadge";
import { TimeAgo } from "@/components/Time";
import { useParam } from "@/components/useParam";

export function ConnectionsPage() {
  const query = useQuery(connections());
  const [search, setSearch] = useParam("q");
  const add = <Permitted to="connections:write"><Button component={Link} to="/connections/new" leftSection={<IconPlus size={16} aria-hidden />}>New connection</Button></Permitted>;
  return (
    <Page title="Connections" description="The databases, files and services that your pipelines read and write." actions={add}>
      <Panel p={0}>
        <Loaded query={query}>
          {({ items }) => {
            const found = items.filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()));
            if (items.length <= 1 && items.every(({ managed }) => managed)) {
              return <EmptyState icon={<IconPlugConnected aria-hidden />} title="Nothing to read from yet" text="Connect a database or bring a CSV file; the warehouse to load into is already there." action={add} />;
            }
            return (
              <>
                <TextInput aria-label="Search connections" placeholder="Search by name" m="md" maw={320} value={search} onChange={(event) => setSearch(event.currentTarget.value)} />
                <Table.ScrollContainer minWidth={620} type="native">
                  <Table>
                    <Table.Thead>
                      <Table.Tr><Table.Th>Name</Table.Th><Table.Th>Connector</Table.Th><Table.Th>Direction</Table.Th><Table.Th>Last test</Table.Th><Table.Th>Created</Table.Th></Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {found.map((item) => (
                        <Table.Tr key={item.id}>
                          <Table.Td><Anchor component={Link} to={`/connections/${item.id}`} fw={600} size="sm">{item.name}</Anchor></Table.Td>
                          <Table.Td>{item.managed ? "managed warehouse" : item.connector}</Table.Td>
                          <Table.Td>{item.direction}</Table.Td>
                          <Table.Td><StateBadge state={item.status} />{item.status === "error" && <Text size="xs" c="dimmed">{item.status_message}</Text>}</Table.Td>
                          <Table.Td><TimeAgo value={item.created_at} compact /></Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </Table.ScrollContainer>
                {!found.length && <Text c="dimmed" size="sm" p="md">No connection is called like that.</Text>}
              </>
            );
          }}
        </Loaded>
      </Panel>
    </Page>
  );
}
