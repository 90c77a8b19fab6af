import { Badge, Group, Table, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { sourceColumns, sourcePreview } from "@/api/queries";
import type { Connection, SourceColumn } from "@/api/types";
import { useMay } from "@/api/useMe";
import { DataRows } from "@/components/DataRows";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { useParam } from "@/components/useParam";
import { TableProfile } from "./TableProfile";

/** One table of a source: its columns for everyone; rows and counts for those who may load it. */
export function TableDetails({ connection, table }: { connection: Connection; table: string }) {
  const [pane, setPane] = useParam("pane", "columns");
  const may = useMay()("connections:write");
  return (
    <Panel title={table} p={0}>
      <Tabs value={may ? pane : "columns"} onChange={setPane} keepMounted={false}>
        <Tabs.List px="md">
          <Tabs.Tab value="columns">Columns</Tabs.Tab>
          {may && <Tabs.Tab value="preview">First rows</Tabs.Tab>}
          {may && <Tabs.Tab value="profile">Profile</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="columns"><Columns connection={connection} table={table} /></Tabs.Panel>
        {may && <Tabs.Panel value="preview"><FirstRows connection={connection} table={table} /></Tabs.Panel>}
        {may && <Tabs.Panel value="profile" p="md"><TableProfile connection={connection} table={table} /></Tabs.Panel>}
      </Tabs>
    </Panel>
  );
}

function Columns({ connection, table }: { connection: Connection; table: string }) {
  return (
    <Loaded query={useQuery(sourceColumns(connection.id, table))}>
      {({ items }) => (
        <Table.ScrollContainer minWidth={520} type="native">
          <Table fz="sm" aria-label={`Columns of ${table}`}>
            <Table.Thead><Table.Tr><Table.Th>Column</Table.Th><Table.Th>Type</Table.Th><Table.Th>Can be empty</Table.Th><Table.Th>As a cursor</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>{items.map((column) => <ColumnRow key={column.name} column={column} />)}</Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Loaded>
  );
}

function ColumnRow({ column }: { column: SourceColumn }) {
  return (
    <Table.Tr>
      <Table.Td><Group gap="xs"><Text span size="sm" fw={600} className="break">{column.name}</Text>{column.primary_key && <Badge size="sm" variant="outline" color="gray" c="var(--mantine-color-text)" tt="none">key</Badge>}</Group></Table.Td>
      <Table.Td className="break">{column.type}</Table.Td>
      <Table.Td>{column.nullable ? "yes" : "no"}</Table.Td>
      <Table.Td>{column.cursor_candidate ? "yes" : <Text span size="sm" c="dimmed">no: {column.why_not}</Text>}</Table.Td>
    </Table.Tr>
  );
}

function FirstRows({ connection, table }: { connection: Connection; table: string }) {
  return (
    <Loaded query={useQuery(sourcePreview(connection.id, table))}>
      {({ columns, rows, complete }) => (
        <>
          <Text size="sm" c="dimmed" px="md" pt="sm">{complete ? `All ${rows.length} rows.` : `The first ${rows.length} rows, in no particular order.`}</Text>
          <DataRows label={`First rows of ${table}`} columns={columns.map(({ name }) => name)} rows={rows} />
        </>
      )}
    </Loaded>
  );
}
