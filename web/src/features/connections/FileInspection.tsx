import { Button, Group, List, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { inspection } from "@/api/queries";
import type { Dialect, FoundColumn, Inspection } from "@/api/types";
import { Loaded } from "@/components/Loaded";
import { bounds, proposed } from "./inspected";

interface Props {
  uploadId: number;
  /** How the connection reads its files now. */
  read: Dialect;
  onDialect: (dialect: Dialect) => void;
}

/** How a CSV file is written, and what its columns hold; both are proposals with their evidence. */
export function FileInspection({ uploadId, read, onDialect }: Props) {
  return (
    <Loaded query={useQuery(inspection(uploadId))}>
      {(found) => (
        <Stack gap="sm" pt="sm" role="region" aria-label={`Inspection of ${found.filename}`}>
          <Reasons found={found} read={read} onDialect={onDialect} />
          <Text size="sm" c="dimmed">{found.complete ? `All ${found.rows.toLocaleString("en")} rows were read.` : `The first ${found.rows.toLocaleString("en")} rows were read; the others not, for lack of time.`}</Text>
          <Table.ScrollContainer minWidth={640} type="native">
            <Table fz="sm" aria-label={`What the columns of ${found.filename} hold`}>
              <Table.Thead><Table.Tr><Table.Th>Column</Table.Th><Table.Th>Proposed type</Table.Th><Table.Th className="number">Empty</Table.Th><Table.Th className="number">Different</Table.Th><Table.Th>From, to</Table.Th><Table.Th className="number">Longest</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>{found.columns.map((column) => <Row key={column.name} column={column} />)}</Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Stack>
      )}
    </Loaded>
  );
}

function Reasons({ found, read, onDialect }: { found: Inspection } & Pick<Props, "read" | "onDialect">) {
  const { encoding, delimiter, header } = found.dialect;
  const same = read.encoding === encoding && read.delimiter === delimiter && read.header === header;
  const values: Record<string, string> = { encoding, delimiter: JSON.stringify(delimiter), header: header ? "yes" : "no" };
  return (
    <Group justify="space-between" align="flex-start">
      <List size="sm">
        {found.reasons.map(({ part, evidence }) => <List.Item key={part}><b>{part}: {values[part]}</b>, because {evidence}</List.Item>)}
      </List>
      {same ? <Text size="sm" c="dimmed" role="status">The files are read like this.</Text> : <Button size="xs" onClick={() => onDialect(found.dialect)}>Read the files like this</Button>}
    </Group>
  );
}

function Row({ column }: { column: FoundColumn }) {
  return (
    <Table.Tr>
      <Table.Td className="break"><Text size="sm" fw={600}>{column.name}</Text><Text size="xs" c="dimmed">{column.examples.join(", ")}</Text></Table.Td>
      <Table.Td><Text size="sm">{proposed(column)}</Text><Text size="xs" c="dimmed">{column.evidence}</Text>
        {column.first_misfits.map(({ value, line, row }) => <Text key={value} size="xs" c="var(--mantine-color-error)" className="break">{line ? `line ${line}` : `row ${row}`}: {value}</Text>)}
      </Table.Td>
      <Table.Td className="number">{column.nulls.toLocaleString("en")}</Table.Td>
      <Table.Td className="number">{column.distinct_is_exact ? "" : "about "}{column.distinct.toLocaleString("en")}</Table.Td>
      <Table.Td className="break">{bounds(column)}</Table.Td>
      <Table.Td className="number">{column.longest.toLocaleString("en")}</Table.Td>
    </Table.Tr>
  );
}
