import { Stack, Table, Text, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { backfills } from "@/api/queries";
import type { Workflow } from "@/api/types";
import { Loaded } from "@/components/Loaded";
import { Permitted } from "@/components/Permitted";
import { TimeAgo } from "@/components/Time";
import { absolute } from "@/components/time";
import { useParam } from "@/components/useParam";
import { BackfillProgress } from "./BackfillProgress";
import { NewBackfill } from "./NewBackfill";

/** Windows of the schedule that were, or shall be, run again beside the live runs. */
export function Backfills({ workflow }: { workflow: Workflow }) {
  const [chosen, choose] = useParam("backfill");
  const query = useQuery(backfills(workflow.id));
  return (
    <Stack p="md">
      <Text size="sm">A backfill loads the rows of past windows again, by the cursors of their tables. Where the live runs go on does not change.</Text>
      {chosen && <BackfillProgress key={chosen} workflowId={workflow.id} id={Number(chosen)} onShow={(id) => choose(String(id))} />}
      <Permitted to="runs:execute"><NewBackfill workflow={workflow} onStarted={(id) => choose(String(id))} /></Permitted>
      <Loaded query={query}>
        {(found) =>
          found.length > 0 && (
            <Table.ScrollContainer minWidth={560} type="native">
              <Table aria-label="Backfills">
                <Table.Thead><Table.Tr><Table.Th>Period</Table.Th><Table.Th>Began</Table.Th><Table.Th>Ended</Table.Th><Table.Th>On failure</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {found.map((item) => (
                    <Table.Tr key={item.id}>
                      <Table.Td><UnstyledButton onClick={() => choose(String(item.id))}><Text span size="sm" fw={600} td="underline">{absolute(new Date(item.from_date))} to {absolute(new Date(item.to_date))}</Text></UnstyledButton></Table.Td>
                      <Table.Td><TimeAgo value={item.created_at} compact /></Table.Td>
                      <Table.Td>{item.completed_at ? <TimeAgo value={item.completed_at} compact /> : "under way"}</Table.Td>
                      <Table.Td>{item.on_failure}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )
        }
      </Loaded>
    </Stack>
  );
}
