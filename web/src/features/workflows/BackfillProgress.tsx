import { Anchor, Group, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { $api } from "@/api/client";
import { backfill, changed } from "@/api/queries";
import type { Backfill } from "@/api/types";
import { ConfirmButton } from "@/components/ConfirmButton";
import { Loaded } from "@/components/Loaded";
import { runPath } from "@/components/paths";
import { Permitted } from "@/components/Permitted";
import { StateBadge } from "@/components/StateBadge";
import { absolute } from "@/components/time";

/** How far each window of a backfill is. */
export function BackfillProgress({ workflowId, id, onShow }: { workflowId: number; id: number; onShow: (id: number) => void }) {
  const query = useQuery(backfill(workflowId, id));
  return <Loaded query={query}>{(found) => <Shown workflowId={workflowId} backfill={found} onShow={onShow} />}</Loaded>;
}

function Shown({ workflowId, backfill: found, onShow }: { workflowId: number; backfill: Backfill; onShow: (id: number) => void }) {
  const params = { path: { id: workflowId, backfill_id: found.id } };
  const resume = $api.useMutation("post", "/api/v1/workflows/{id}/backfills/{backfill_id}/resume", { onSuccess: changed.backfills });
  const cancel = $api.useMutation("post", "/api/v1/workflows/{id}/backfills/{backfill_id}/cancel", { onSuccess: changed.backfills });
  const count = (...states: string[]) => found.windows.filter(({ state }) => states.includes(state)).length;
  const again = count("failed", "stopped");
  return (
    <Stack gap="sm" data-testid="backfill">
      <Group justify="space-between">
        <Title order={2} size="h4">{absolute(new Date(found.from_date))} to {absolute(new Date(found.to_date))}</Title>
        <Permitted to="runs:execute">
          {found.completed_at === null ? (
            <ConfirmButton label="Cancel" title="Cancel the backfill?" text="The window that runs is ended, and none that waits is begun. What was loaded stays; the rest can be resumed later." confirm="Cancel the backfill" keep="Go on"
              pending={cancel.isPending} error={cancel.error} onConfirm={(done) => cancel.mutate({ params }, { onSuccess: done })} />
          ) : again > 0 && (
            <ConfirmButton label={`Resume ${again}`} title="Resume the backfill?" text={`${again} windows that failed or were not begun run again, one after the other. Those that succeeded stay as they are.`} confirm="Resume"
              pending={resume.isPending} error={resume.error} onConfirm={(done) => resume.mutate({ params }, { onSuccess: (made) => (done(), onShow(made.id)) })} />
          )}
        </Permitted>
      </Group>
      <Text size="sm" aria-live="polite">{count("success")} of {found.windows.length} windows are loaded, {count("running")} running, {count("queued")} waiting, {count("failed")} failed, {count("stopped")} not begun because of that.</Text>
      <Table.ScrollContainer minWidth={480} type="native" mah={360}>
        <Table aria-label="Windows">
          <Table.Thead><Table.Tr><Table.Th>From</Table.Th><Table.Th>To</Table.Th><Table.Th>State</Table.Th><Table.Th>Run</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {found.windows.map(({ run_id, start, end, state }) => (
              <Table.Tr key={run_id}>
                <Table.Td>{start && absolute(new Date(start))}</Table.Td><Table.Td>{end && absolute(new Date(end))}</Table.Td>
                <Table.Td><StateBadge state={state} /></Table.Td>
                <Table.Td><Anchor component={Link} size="sm" to={runPath({ dag_id: found.dag_id, run_id })} aria-label={`See it: the run of the window from ${start}`}>See it</Anchor></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Stack>
  );
}
