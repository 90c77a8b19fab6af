import { Anchor, Table, Text, TextInput } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";

import { nodePath } from "./paths";
import { useParam } from "./useParam";

interface NodeRow {
  id: number;
  kind: string;
  name: string;
  slug: string;
  dataset: string;
  workflow_id: number;
}

/** Pipelines or transformations, searchable; one column is the caller's. */
export function NodeTable<T extends NodeRow>({ nodes, label, detail, shown, workflowName }: {
  nodes: T[];
  label: string;
  detail: string;
  shown: (node: T) => ReactNode;
  workflowName: (id: number) => string;
}) {
  const [search, setSearch] = useParam("q");
  const found = nodes.filter(({ name, slug }) => `${name} ${slug}`.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <TextInput aria-label={`Search ${label}`} placeholder="Search by name" m="md" maw={320} value={search} onChange={(event) => setSearch(event.currentTarget.value)} />
      <Table.ScrollContainer minWidth={620} type="native">
        <Table>
          <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>{detail}</Table.Th><Table.Th>Dataset</Table.Th><Table.Th>Workflow</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {found.map((node) => (
              <Table.Tr key={node.id}>
                <Table.Td><Anchor component={Link} to={nodePath(node)} size="sm" fw={600}>{node.name}</Anchor><Text size="xs" c="dimmed" className="mono">{node.slug}</Text></Table.Td>
                <Table.Td>{shown(node)}</Table.Td>
                <Table.Td className="mono">{node.dataset}</Table.Td>
                <Table.Td><Anchor component={Link} to={`/workflows/${node.workflow_id}`} size="sm">{workflowName(node.workflow_id)}</Anchor></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {!found.length && <Text c="dimmed" size="sm" p="md">Nothing is called like that.</Text>}
    </>
  );
}
