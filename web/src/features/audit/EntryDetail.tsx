import { Badge, Group, Stack, Table, Text } from "@mantine/core";

import type { AuditEntry } from "@/api/types";
import { fieldChanges, type FieldChange } from "./diff";

const COLOURS = { changed: "blue", added: "teal", removed: "red" };

/** Old and new values side by side, and by which request. */
export function EntryDetail({ entry }: { entry: AuditEntry }) {
  const changes = fieldChanges(entry.old_values, entry.new_values);
  return (
    <Stack gap="sm" p="md" className="detail">
      {changes.length ? <Changes changes={changes} /> : <Text size="sm" c="dimmed">The entry tells of no fields.</Text>}
      <Group gap="lg">
        <Fact name="Entry" value={entry.number === null ? `id ${entry.id}` : `number ${entry.number}`} />
        <Fact name="Request" value={entry.request_id ?? "none"} />
        <Fact name="Address" value={entry.address ?? "none"} />
      </Group>
    </Stack>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return <Text size="xs" className="break"><Text span size="xs" c="dimmed">{name}: </Text><span className="mono">{value}</span></Text>;
}

function Changes({ changes }: { changes: FieldChange[] }) {
  return (
    <Table.ScrollContainer minWidth={560} type="native" className="surface" role="region" aria-label="Old and new values">
      <Table aria-label="What changed" verticalSpacing={6} highlightOnHover={false}>
        <Table.Thead><Table.Tr><Table.Th w={110}>Change</Table.Th><Table.Th w="24%">Field</Table.Th><Table.Th>Before</Table.Th><Table.Th>After</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {changes.map(({ field, kind, before, after }) => (
            <Table.Tr key={field}>
              <Table.Td><Badge className={`state state-${COLOURS[kind]}`} variant="light" tt="none" size="sm">{kind}</Badge></Table.Td>
              <Table.Td className="mono break">{field}</Table.Td>
              <Table.Td><Value text={before} /></Table.Td>
              <Table.Td><Value text={after} /></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Value({ text }: { text: string | undefined }) {
  if (text === undefined) return <Text span c="dimmed" size="sm">–</Text>;
  return <Text className="mono break value">{text}</Text>;
}
