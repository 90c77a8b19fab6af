import { Anchor, Table } from "@mantine/core";
import { Link } from "react-router";

import type { Run } from "@/api/types";
import { StateBadge } from "./StateBadge";
import { Duration, TimeAgo } from "./Time";
import { runPath } from "./paths";

/** Runs, newest first; used wherever runs are listed. */
export function RunTable({ runs }: { runs: Run[] }) {
  return (
    <Table.ScrollContainer minWidth={640} type="native">
      <Table>
        <Table.Thead>
          <Table.Tr><Table.Th>Workflow</Table.Th><Table.Th>State</Table.Th><Table.Th>Started</Table.Th><Table.Th>Took</Table.Th><Table.Th>Why</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((run) => (
            <Table.Tr key={`${run.dag_id} ${run.run_id}`}>
              <Table.Td><Anchor component={Link} to={runPath(run)} size="sm" fw={600} aria-label={`Run of ${run.dag_id}, ${run.run_id}`}>{run.dag_id}</Anchor></Table.Td>
              <Table.Td><StateBadge state={run.state} /></Table.Td>
              <Table.Td><TimeAgo value={run.start_date ?? run.run_after} /></Table.Td>
              <Table.Td><Duration start={run.start_date} end={run.end_date} /></Table.Td>
              <Table.Td>{run.run_type}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
