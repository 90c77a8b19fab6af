import { ScrollArea, Table, Text } from "@mantine/core";

function shown(value: unknown): string {
  if (value === null || value === undefined) return "null";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Rows of a table as they came from the warehouse. */
export function DataRows({ columns, rows, label }: {
  columns: string[];
  rows: (unknown[] | Record<string, unknown>)[];
  label: string;
}) {
  if (!rows.length) return <Text c="dimmed" size="sm" p="md">No rows.</Text>;
  const first = rows[0]!;
  const isNumber = (at: number) => typeof cells(first)[at] === "number";
  const cells = (row: unknown[] | Record<string, unknown>) =>
    Array.isArray(row) ? row : columns.map((column) => row[column]);
  return (
    <ScrollArea.Autosize mah={480} type="auto" viewportProps={{ tabIndex: 0, role: "region", "aria-label": label }}>
      <Table stickyHeader fz="sm" aria-label={label}>
        <Table.Thead>
          <Table.Tr>{columns.map((column, at) => <Table.Th key={column} className={isNumber(at) ? "nowrap number" : "nowrap"} scope="col">{column}</Table.Th>)}</Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, index) => (
            <Table.Tr key={index}>
              {cells(row).map((value, at) => (
                <Table.Td key={at} className={typeof value === "number" ? "number cell" : "cell"} title={shown(value)}>
                  {value === null || value === undefined ? <Text span c="dimmed" fs="italic" size="sm">null</Text> : shown(value)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea.Autosize>
  );
}
