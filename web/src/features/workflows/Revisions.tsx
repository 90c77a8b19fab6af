import { Button, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { $api } from "@/api/client";
import { changed, revisions } from "@/api/queries";
import type { Workflow } from "@/api/types";
import { useMay } from "@/api/useMe";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { TimeAgo } from "@/components/Time";

/** A change as one line: "stg_orders: config". */
function told(change: Record<string, unknown>): string {
  return Object.values(change).flat().filter((part) => typeof part === "string" || typeof part === "number").join(" ");
}

export function Revisions({ workflow }: { workflow: Workflow }) {
  const query = useQuery(revisions(workflow.id));
  const may = useMay()("workflows:publish");
  const restore = $api.useMutation("post", "/api/v1/workflows/{id}/revisions/{number}/restore", { onSuccess: () => void changed.nodes() });
  return (
    <Loaded query={query}>
      {({ items }) =>
        items.length ? (
          <>
            <ErrorAlert error={restore.error} />
            <Table.ScrollContainer minWidth={560} type="native">
              <Table aria-label="Revisions">
                <Table.Thead><Table.Tr><Table.Th>Number</Table.Th><Table.Th>Published</Table.Th><Table.Th>Changes</Table.Th><Table.Th>Restore</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {items.map((item) => (
                    <Table.Tr key={item.number}>
                      <Table.Td>{item.number}{item.number === workflow.published_revision ? " (in force)" : ""}</Table.Td>
                      <Table.Td><TimeAgo value={item.created_at} /></Table.Td>
                      <Table.Td>{item.changes.map((change, index) => <Text key={index} size="sm" className="break">{told(change)}</Text>)}</Table.Td>
                      <Table.Td>
                        {may && item.number !== workflow.published_revision && (
                          <Button size="compact-xs" variant="default" loading={restore.isPending} aria-label={`Restore revision ${item.number}`}
                            onClick={() => restore.mutate({ params: { path: { id: workflow.id, number: item.number } } })}>Restore</Button>
                        )}
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          </>
        ) : (
          <Text size="sm" c="dimmed" p="md">Nothing was published yet.</Text>
        )
      }
    </Loaded>
  );
}
