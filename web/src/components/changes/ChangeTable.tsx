import { Anchor, Button, Group, Table, Text } from "@mantine/core";
import { IconTableOptions } from "@tabler/icons-react";
import { Link } from "react-router";

import { $api } from "@/api/client";
import type { ChangeState, SchemaChange } from "@/api/types";
import { EmptyState } from "../EmptyState";
import { Loaded } from "../Loaded";
import { runPath } from "../paths";
import { Permitted } from "../Permitted";
import { StateBadge } from "../StateBadge";
import { TimeAgo } from "../Time";
import { ChangeDiff } from "./ChangeDiff";
import { DecisionButton } from "./DecisionButton";

interface Props {
  state?: ChangeState;
  /** Of one pipeline; then its name is left out. */
  pipeline?: number;
}

/** Changes of tables, newest first, with what became of them. */
export function ChangeTable({ state, pipeline }: Props) {
  const query = $api.useInfiniteQuery("get", "/api/v1/schema-changes", { params: { query: { state, pipeline_id: pipeline } } }, {
    pageParamName: "cursor",
    initialPageParam: null, // null is left out of the address, undefined would become 0
    getNextPageParam: (last: { next_cursor: string | null }) => last.next_cursor ?? undefined,
  });
  return (
    <Loaded query={query}>
      {({ pages }) => {
        const changes = pages.flatMap(({ items }) => items);
        if (!changes.length) return <Empty state={state} />;
        return (
          <>
            <ChangeRows changes={changes} withPipeline={pipeline === undefined} />
            {query.hasNextPage && <Group p="md"><Button size="xs" variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Load more</Button></Group>}
          </>
        );
      }}
    </Loaded>
  );
}

function Empty({ state }: { state?: ChangeState }) {
  const text = "When a load finds other tables, columns or types than the last one left, it is written down here.";
  return <EmptyState icon={<IconTableOptions aria-hidden />} title={state === "pending" ? "Nothing waits for you" : "No changes here"} text={text} />;
}

export function ChangeRows({ changes, withPipeline }: { changes: SchemaChange[]; withPipeline: boolean }) {
  return (
    <Table.ScrollContainer minWidth={760} type="native">
      <Table aria-label="Schema changes" verticalSpacing="sm">
        <Table.Thead><Table.Tr>{withPipeline && <Table.Th>Pipeline</Table.Th>}<Table.Th>Table</Table.Th><Table.Th>Changes</Table.Th><Table.Th>Found</Table.Th><Table.Th>State</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>{changes.map((change) => <Row key={change.id} change={change} withPipeline={withPipeline} />)}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ change, withPipeline }: { change: SchemaChange; withPipeline: boolean }) {
  const { pipeline, table, changes, created_at, dag_id, run_id, state } = change;
  return (
    <Table.Tr style={{ verticalAlign: "top" }}>
      {withPipeline && <Table.Td><Anchor component={Link} to={`/pipelines/${pipeline.id}?tab=changes`} size="sm" className="break">{pipeline.name}</Anchor></Table.Td>}
      <Table.Td><Text size="sm" className="mono break">{table}</Text><Text size="xs" c="dimmed">number {change.id}</Text></Table.Td>
      <Table.Td><ChangeDiff table={table} changes={changes} /></Table.Td>
      <Table.Td><TimeAgo value={created_at} /><br /><Anchor component={Link} to={runPath({ dag_id, run_id })} size="xs" className="break">{run_id}</Anchor></Table.Td>
      <Table.Td>
        <StateBadge state={state} />
        <Decided change={change} />
        {state === "pending" && (
          <Permitted to="pipelines:write">
            <Group gap="xs" mt="xs"><DecisionButton change={change} decision="approve" /><DecisionButton change={change} decision="reject" /></Group>
          </Permitted>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Decided({ change: { decided_by: person, decided_at, note, policy, state } }: { change: SchemaChange }) {
  if (!person) return state === "pending" || state === "superseded" ? null : <Text size="xs" c="dimmed" mt={4}>by the policy “{policy}”</Text>;
  return (
    <>
      <Text size="xs" c="dimmed" mt={4} component="div">by {person.name ?? "somebody"}, <TimeAgo value={decided_at} compact /></Text>
      {note && <Text size="xs" className="break">{note}</Text>}
    </>
  );
}
