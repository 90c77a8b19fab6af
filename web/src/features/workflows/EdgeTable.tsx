import { Button, Group, Select, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";

import { $api } from "@/api/client";
import { changed } from "@/api/queries";
import type { Graph } from "@/api/types";
import { useMay } from "@/api/useMe";
import { ErrorAlert } from "@/components/ErrorAlert";

/** The same edges as the picture, for keyboards and screen readers. */
export function EdgeTable({ graph }: { graph: Graph }) {
  const [from, setFrom] = useState<string | null>(null);
  const [to, setTo] = useState<string | null>(null);
  const may = useMay()("workflows:write");
  const after = { onSuccess: () => void changed.nodes() };
  const add = $api.useMutation("post", "/api/v1/edges", after);
  const remove = $api.useMutation("delete", "/api/v1/edges/{id}", after);
  const name = (id: number) => graph.nodes.find((node) => node.id === id)?.name ?? String(id);
  const options = graph.nodes.map((node) => ({ value: String(node.id), label: node.name }));
  const rows = [
    ...graph.edges.map((edge) => ({ ...edge, why: "drawn" })),
    ...graph.derived_edges.map((edge) => ({ ...edge, id: null, why: "ref() or source()" })),
  ];
  return (
    <Stack p="md">
      <ErrorAlert error={add.error ?? remove.error} />
      <Table.ScrollContainer minWidth={480} type="native">
        <Table aria-label="Edges">
          <Table.Thead><Table.Tr><Table.Th>First</Table.Th><Table.Th>Then</Table.Th><Table.Th>From</Table.Th><Table.Th>Remove</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {rows.map((edge) => (
              <Table.Tr key={`${edge.why} ${edge.upstream_id} ${edge.downstream_id}`}>
                <Table.Td>{name(edge.upstream_id)}</Table.Td><Table.Td>{name(edge.downstream_id)}</Table.Td><Table.Td>{edge.why}</Table.Td>
                <Table.Td>
                  {may && edge.id !== null && (
                    <Button size="compact-xs" variant="default" aria-label={`Remove the edge from ${name(edge.upstream_id)} to ${name(edge.downstream_id)}`}
                      onClick={() => remove.mutate({ params: { path: { id: edge.id! } } })}>Remove</Button>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {!rows.length && <Text size="sm" c="dimmed">No node waits for another.</Text>}
      {may && (
        <Group align="flex-end">
          <Select label="First" data={options} value={from} onChange={setFrom} searchable />
          <Select label="Then" data={options} value={to} onChange={setTo} searchable />
          <Button variant="default" disabled={!from || !to} loading={add.isPending} onClick={() => add.mutate({ body: { upstream_id: Number(from), downstream_id: Number(to) } })}>Add edge</Button>
        </Group>
      )}
    </Stack>
  );
}
