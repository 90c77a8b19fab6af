import { Alert, Badge, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { pipelineState } from "@/api/queries";
import type { PipelineState as State, Position, ResourceState, StateVersion } from "@/api/types";
import { Loaded } from "@/components/Loaded";
import { Permitted } from "@/components/Permitted";
import { TimeAgo } from "@/components/Time";
import { ResetButton, RestoreButton, SetButton } from "./StateChanges";
import { VersionSource } from "./VersionSource";

/** Where the next run begins, table by table, and where earlier ones did. */
export function PipelineState({ id }: { id: number }) {
  const query = useQuery(pipelineState(id));
  return <Loaded query={query}>{(state) => <Shown id={id} state={state} />}</Loaded>;
}

function Shown({ id, state }: { id: number; state: State }) {
  if (!state.published) return <Text size="sm" c="dimmed" p="md">Nothing of this pipeline is published, so it has loaded nothing. Publish the workflow and run it.</Text>;
  return (
    <Stack p="md">
      {state.is_held && <Alert color="blue" variant="light" title="A run is loading">How far the tables are can be changed when it is over.</Alert>}
      <Table.ScrollContainer minWidth={640} type="native">
        <Table aria-label="State of the tables">
          <Table.Thead><Table.Tr><Table.Th>Table</Table.Th><Table.Th>Cursor</Table.Th><Table.Th>Loaded up to</Table.Th><Table.Th>Change</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>{state.resources.map((resource) => <Row key={resource.name} id={id} resource={resource} state={state} />)}</Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {state.history.length > 0 && <History id={id} state={state} />}
    </Stack>
  );
}

function Row({ id, resource, state }: { id: number; resource: ResourceState; state: State }) {
  const off = state.is_held || state.history.length === 0;
  return (
    <Table.Tr>
      <Table.Td><Text size="sm" fw={600}>{resource.table}</Text><Text size="xs" c="dimmed">{resource.write_disposition}</Text></Table.Td>
      <Table.Td className="mono">{resource.cursor ?? "–"}</Table.Td>
      <Table.Td>{resource.follows ? <Value position={resource.position} /> : <Text size="sm" c="dimmed">every run loads it as a whole</Text>}</Table.Td>
      <Table.Td>
        {resource.follows && (
          <Permitted to="pipelines:write">
            <Group gap="xs">
              <SetButton id={id} resource={resource} disabled={off} />
              <ResetButton id={id} resource={resource} disabled={off || !resource.position} />
            </Group>
          </Permitted>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Value({ position }: { position: Position | null }) {
  if (!position || position.text === null) return <Text size="sm" c="dimmed">nothing: the next run loads from the beginning</Text>;
  return <Group gap="xs"><Text size="sm" className="mono break">{position.text}</Text><Badge variant="default" tt="none" size="sm">{position.type}</Badge></Group>;
}

/** The versions of the state: each is the snapshot before the run above it. */
function History({ id, state }: { id: number; state: State }) {
  return (
    <Table.ScrollContainer minWidth={640} type="native">
      <Table aria-label="History of the state">
        <Table.Thead><Table.Tr><Table.Th>When</Table.Th><Table.Th>Left by</Table.Th><Table.Th>Loaded up to</Table.Th><Table.Th>Go back</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {state.history.map((version, index) => (
            <Table.Tr key={version.load_id}>
              <Table.Td><TimeAgo value={version.created_at} /></Table.Td>
              <Table.Td><VersionSource version={version} /></Table.Td>
              <Table.Td><Positions version={version} /></Table.Td>
              <Table.Td>
                {index === 0 ? <Text size="sm" c="dimmed">as it is now</Text> : (
                  <Permitted to="pipelines:write"><RestoreButton id={id} version={version} resources={state.resources} disabled={state.is_held} /></Permitted>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Positions({ version }: { version: StateVersion }) {
  if (!version.positions.length) return <Text size="sm" c="dimmed">nothing</Text>;
  return version.positions.map(({ resource, column, text }) => <Text key={`${resource} ${column}`} size="xs" className="mono break">{resource}.{column} = {text ?? "nothing"}</Text>);
}
