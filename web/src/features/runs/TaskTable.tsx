import { Button, Table, Text } from "@mantine/core";

import type { RunTask } from "@/api/types";
import { StateBadge } from "@/components/StateBadge";
import { Duration, TimeAgo } from "@/components/Time";
import type { LiveTask } from "./useRunEvents";

/** The tasks of a run in the order in which they began, waiting ones last. */
export function TaskTable({ tasks, live, onLog }: {
  tasks: RunTask[];
  live: Record<string, LiveTask>;
  onLog: (taskId: string) => void;
}) {
  const now = tasks.map((task) => ({ ...task, ...live[task.task_id] }));
  const ordered = now.sort((a, b) => (a.start_date ?? "9").localeCompare(b.start_date ?? "9"));
  return (
    <Table.ScrollContainer minWidth={680} type="native">
      <Table aria-label="Tasks">
        <Table.Thead>
          <Table.Tr><Table.Th>Task</Table.Th><Table.Th>State</Table.Th><Table.Th>Try</Table.Th><Table.Th>Started</Table.Th><Table.Th>Took</Table.Th><Table.Th>Log</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {ordered.map((task) => (
            <Table.Tr key={task.task_id} data-task={task.task_id}>
              <Table.Td><Text size="sm" fw={600}>{task.node ?? task.task_id}</Text>{task.node && <Text size="xs" c="dimmed" className="mono">{task.task_id}</Text>}</Table.Td>
              <Table.Td><StateBadge state={task.state} /></Table.Td>
              <Table.Td className="nowrap">{task.try_number} of {task.max_tries + 1}</Table.Td>
              <Table.Td><TimeAgo value={task.start_date} compact /></Table.Td>
              <Table.Td><Duration start={task.start_date} end={task.end_date} /></Table.Td>
              <Table.Td><Button size="compact-xs" variant="default" onClick={() => onLog(task.task_id)} aria-label={`Log of ${task.task_id}`}>Log</Button></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
