import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { connectionTests } from "@/api/queries";
import type { Connection } from "@/api/types";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { StateBadge } from "@/components/StateBadge";
import { TimeAgo } from "@/components/Time";
import { MissingRights } from "./TestResult";

/** How the last tests of a connection went. */
export function TestHistory({ connection }: { connection: Connection }) {
  return (
    <Panel p={0}>
      <Loaded query={useQuery(connectionTests(connection.id))}>
        {({ items }) => items.length ? (
          <Table.ScrollContainer minWidth={620} type="native">
            <Table aria-label="Tests">
              <Table.Thead><Table.Tr><Table.Th>When</Table.Th><Table.Th>Result</Table.Th><Table.Th>What was found</Table.Th><Table.Th className="number">Answer after</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {items.map((test) => (
                  <Table.Tr key={test.id}>
                    <Table.Td><TimeAgo value={test.created_at} /></Table.Td>
                    <Table.Td><StateBadge state={test.ok ? "connected" : "error"} /></Table.Td>
                    <Table.Td><Text size="sm" className="break">{test.message}</Text>{test.hint && <Text size="sm" c="dimmed">{test.hint}</Text>}<MissingRights missing={test.missing} /></Table.Td>
                    <Table.Td className="number nowrap">{test.latency_ms} ms</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        ) : <Text size="sm" c="dimmed" p="md">Not tested yet. Press Test below the connection's settings.</Text>}
      </Loaded>
    </Panel>
  );
}
