import { MultiSelect, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { sourceProfile } from "@/api/queries";
import type { Connection, Profile } from "@/api/types";
import { Loaded } from "@/components/Loaded";
import { cursorFindings, scope, shown } from "@/components/findings";
import { KeyFinding } from "@/components/KeyFinding";

/** What is in the first rows of a table: values, a key to try, columns as cursors. */
export function TableProfile({ connection, table }: { connection: Connection; table: string }) {
  const [key, setKey] = useState<string[]>([]);
  return (
    <Loaded query={useQuery({ ...sourceProfile(connection.id, table, key), placeholderData: (previous) => previous })}>
      {(profile) => (
        <Stack>
          <Text size="sm">{scope(profile)}</Text>
          <MultiSelect label="Try a key" description="Which columns together tell rows apart." maw={480} searchable clearable data={profile.columns.map(({ name }) => name)} value={key} onChange={setKey}
            clearButtonProps={{ "aria-label": "Back to the proposed key" }} />
          <KeyFinding profile={profile} />
          <Cursors profile={profile} />
          <Values profile={profile} table={table} />
        </Stack>
      )}
    </Loaded>
  );
}

function Cursors({ profile: { cursors } }: { profile: Profile }) {
  return (
    <div>
      <Title order={3} size="h5">Columns as cursors</Title>
      {!cursors.length && <Text size="sm" c="dimmed">No column grows from row to row: every load reads the whole table.</Text>}
      {cursors.map((cursor) => (
        <Text key={cursor.column} size="sm"><Text span fw={600}>{cursor.column}</Text>: {cursorFindings(cursor).join("; ") || "nothing speaks against it"}.</Text>
      ))}
    </div>
  );
}

function Values({ profile: { columns }, table }: { profile: Profile; table: string }) {
  return (
    <Table.ScrollContainer minWidth={760} type="native">
      <Table fz="sm" aria-label={`Profile of ${table}`}>
        <Table.Thead>
          <Table.Tr><Table.Th>Column</Table.Th><Table.Th className="number">Empty</Table.Th><Table.Th className="number">Distinct</Table.Th><Table.Th>Least</Table.Th><Table.Th>Greatest</Table.Th><Table.Th>Most frequent</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {columns.map((column) => (
            <Table.Tr key={column.name}>
              <Table.Td><Text size="sm" fw={600} className="break">{column.name}</Text><Text size="xs" c="dimmed">{column.type}</Text></Table.Td>
              <Table.Td className="number">{column.nulls.toLocaleString("en")}</Table.Td>
              <Table.Td className="number">{column.distinct.toLocaleString("en")}</Table.Td>
              <Table.Td className="cell" title={shown(column.least)}>{shown(column.least)}</Table.Td>
              <Table.Td className="cell" title={shown(column.greatest)}>{shown(column.greatest)}</Table.Td>
              <Table.Td>{column.frequent.map(({ value, rows }) => `${shown(value).slice(0, 40)} (${rows.toLocaleString("en")})`).join(", ") || "–"}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
