import { Code, List, ScrollArea, Table, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { ApiError } from "@/api/errors";
import { tableComparison } from "@/api/queries";
import type { DraftPreview as Found, DraftRow } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";
import { shown } from "@/components/findings";
import { difference, refusal } from "./drafts";

export interface Target {
  dataset: string;
  connectionId: number | null;
}

interface Props {
  table: string;
  target?: Target;
  found: Found | undefined;
  error: ApiError | null;
  fetching: boolean;
}

/** The first rows of a resource before and after its mapping, and the table that it would make. */
export function DraftPreview({ table, target, found, error, fetching }: Props) {
  return (
    <section aria-label="Preview" aria-busy={fetching}>
      <Text size="sm" c="dimmed" role="status" mt="md" mb={4}>{told({ found, error, fetching })}</Text>
      <ErrorAlert error={error} title="It cannot be loaded like this" />
      {found && !error && (
        <Tabs defaultValue="after" keepMounted={false}>
          <Tabs.List><Tabs.Tab value="after">Loaded</Tabs.Tab><Tabs.Tab value="before">At the source</Tabs.Tab><Tabs.Tab value="table">Table</Tabs.Tab></Tabs.List>
          <Tabs.Panel value="after"><Rows label="Rows as they are loaded" columns={found.after} rows={found.rows} of={({ after }) => after} /></Tabs.Panel>
          <Tabs.Panel value="before"><Rows label="Rows at the source" columns={found.before} rows={found.rows} of={({ before }) => before} /></Tabs.Panel>
          <Tabs.Panel value="table"><Definition table={table} target={target} found={found} /></Tabs.Panel>
        </Tabs>
      )}
    </section>
  );
}

function told({ found, error, fetching }: Pick<Props, "found" | "error" | "fetching">): string {
  if (fetching) return "Trying it on the first rows…";
  if (error) return "";
  return found ? scope(found) : "Nothing to show yet.";
}

function scope({ rows, complete }: Found): string {
  const rejected = rows.filter((row) => row.rejected).length;
  const read = complete ? `All ${rows.length} rows` : `The first ${rows.length} rows`;
  return `${read}; ${rejected ? `${rejected} of them cannot be loaded` : "all of them can be loaded"}.`;
}

function Rows({ label, columns, rows, of }: { label: string; columns: Found["after"]; rows: DraftRow[]; of: (row: DraftRow) => unknown[] | null }) {
  return (
    <ScrollArea.Autosize mah={360} type="auto" viewportProps={{ tabIndex: 0, role: "region", "aria-label": label }}>
      <Table stickyHeader fz="xs" verticalSpacing={3} aria-label={label}>
        <Table.Thead><Table.Tr>{columns.map(({ name, type }) => <Table.Th key={name} className="nowrap">{name}<br /><small>{type}</small></Table.Th>)}</Table.Tr></Table.Thead>
        <Table.Tbody>
          {rows.map((row, at) => {
            const cells = of(row);
            return (
              <Table.Tr key={at} data-rejected={row.rejected ? true : undefined}>
                {cells ? cells.map((value, place) => <Table.Td key={place} className="cell">{shown(value)}</Table.Td>)
                  : <Table.Td colSpan={columns.length}><Text span size="xs" c="var(--mantine-color-error)">{refusal(row)}</Text></Table.Td>}
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </ScrollArea.Autosize>
  );
}

function Definition({ table, target, found }: { table: string; target?: Target; found: Found }) {
  const body = { dataset: target?.dataset ?? "", table, columns: found.columns, connection_id: target?.connectionId };
  const { data, error } = useQuery({ ...tableComparison(body), enabled: Boolean(target?.dataset) });
  return (
    <>
      {data?.exists && (
        <>
          <Text size="sm" mt="sm">{data.differences.length ? "The table is there, and differs:" : "The table is there, with the same columns."}</Text>
          <List size="sm">{data.differences.map((one) => <List.Item key={one.column}>{difference(one)}</List.Item>)}</List>
        </>
      )}
      {data && !data.exists && <Text size="sm" mt="sm">The table is not there yet. The first load makes it like this:</Text>}
      <ErrorAlert error={error} title="The table at the destination could not be compared" />
      {!data?.exists && <Code block mt="xs">{found.definition}</Code>}
    </>
  );
}
