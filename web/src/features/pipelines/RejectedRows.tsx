import { Anchor, Button, Group, Select, Stack, Table, Text } from "@mantine/core";
import { IconCircleCheck, IconDownload } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { $api } from "@/api/client";
import { download } from "@/api/download";
import { connections, loadedTables, rejectedReasons, tables } from "@/api/queries";
import type { Pipeline, RejectedRow } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { TimeAgo } from "@/components/Time";
import { useParam } from "@/components/useParam";
import { Tables } from "./LoadedTables";
import { Replay } from "./Replay";
import { csvPath, quarantined, SUFFIX } from "./rejected";

/** What loads of a pipeline put aside instead of loading it, and how it is loaded after all. */
export function RejectedRows({ pipeline }: { pipeline: Pipeline }) {
  const known = useQuery(connections()).data?.items;
  const inWarehouse = known?.find(({ id }) => id === pipeline.destination_connection_id)?.managed ?? true;
  return (
    <Stack>
      <Replay id={pipeline.id} />
      {inWarehouse ? <Kept pipeline={pipeline} /> : <Elsewhere id={pipeline.id} />}
    </Stack>
  );
}

const NONE = <EmptyState icon={<IconCircleCheck aria-hidden />} title="No row was put aside" text="Rows that do not fit are kept here where a resource says that they are put aside." />;

/** At a destination of one's own they are shown as they lie there. */
function Elsewhere({ id }: { id: number }) {
  return (
    <Loaded query={useQuery(loadedTables(id))}>
      {({ items }) => <Tables id={id} tables={items.filter(({ has_rejected }) => has_rejected)} suffix={SUFFIX} empty={NONE} />}
    </Loaded>
  );
}

function Kept({ pipeline }: { pipeline: Pipeline }) {
  const [chosen, setChosen] = useParam("table");
  return (
    <Loaded query={useQuery(tables())}>
      {({ items }) => {
        const found = quarantined(pipeline, items);
        const table = found.includes(chosen) ? chosen : found[0];
        if (!table) {
          return <Panel>{NONE}</Panel>;
        }
        return (
          <Stack>
            <Select label="Table" maw={320} data={found} value={table} allowDeselect={false} searchable onChange={setChosen} />
            <Quarantine key={table} dataset={pipeline.dataset} table={table} />
          </Stack>
        );
      }}
    </Loaded>
  );
}

function Quarantine({ dataset, table }: { dataset: string; table: string }) {
  const [column, setColumn] = useParam("column");
  const [reason, setReason] = useParam("reason");
  const [run, setRun] = useParam("run");
  const filter = { column: column || undefined, reason: reason || undefined, run_id: run || undefined };
  const reasons = useQuery(rejectedReasons(dataset, table));
  const path = { dataset, table };
  const query = $api.useInfiniteQuery("get", "/api/v1/tables/{dataset}/{table}/rejected", { params: { path, query: filter } }, {
    // The client's own default is a number, which is no cursor.
    initialPageParam: null,
    getNextPageParam: (last) => last.next_cursor,
  });
  const save = useMutation({ mutationFn: () => download(csvPath(dataset, table, filter), `${table}__rejected.csv`) });
  const found = reasons.data?.items ?? [];
  const total = found.reduce((sum, { rows }) => sum + rows, 0);
  const names = (part: "column" | "reason") => [...new Set(found.map((one) => one[part]).filter((name): name is string => Boolean(name)))];
  const rows = query.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Panel title={`${table}: ${total.toLocaleString("en")} rejected ${total === 1 ? "row" : "rows"}`} p={0}
      actions={<Button size="xs" variant="default" leftSection={<IconDownload size={14} aria-hidden />} loading={save.isPending} onClick={() => save.mutate()}>Download as CSV</Button>}>
      <Group px="md" pb="sm" gap="sm">
        <Select size="xs" aria-label="Column" placeholder="Any column" clearable data={names("column")} value={column || null} onChange={setColumn} clearButtonProps={{ "aria-label": "Any column" }} />
        <Select size="xs" w={300} aria-label="Reason" placeholder="Any reason" clearable data={names("reason")} value={reason || null} onChange={setReason} clearButtonProps={{ "aria-label": "Any reason" }} />
        {run && <Button size="xs" variant="default" onClick={() => setRun(null)}>Of all runs</Button>}
      </Group>
      <ErrorAlert error={save.error ?? reasons.error} />
      <Loaded query={query}>{() => <Rows table={table} rows={rows} onRun={setRun} />}</Loaded>
      {query.hasNextPage && <Button m="md" size="xs" variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</Button>}
    </Panel>
  );
}

function Rows({ table, rows, onRun }: { table: string; rows: RejectedRow[]; onRun: (run: string) => void }) {
  if (!rows.length) return <Text size="sm" c="dimmed" p="md">No rejected row is like that.</Text>;
  return (
    <Table.ScrollContainer minWidth={860} type="native">
      <Table fz="sm" aria-label={`Rejected rows of ${table}`}>
        <Table.Thead><Table.Tr><Table.Th>Where</Table.Th><Table.Th>Column</Table.Th><Table.Th>Value</Table.Th><Table.Th>Reason</Table.Th><Table.Th>Row</Table.Th><Table.Th>Put aside</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td className="break">{row.file ? `${row.file}, line ${row.line}` : "–"}</Table.Td>
              <Table.Td className="break" fw={600}>{row.column}</Table.Td>
              <Table.Td className="cell" title={row.value ?? undefined}>{row.value ?? <Text span c="dimmed" fs="italic" size="sm">null</Text>}</Table.Td>
              <Table.Td>{row.reason}</Table.Td>
              <Table.Td className="cell mono" title={row.row ?? undefined}>{row.row}{row.is_cut ? "…" : ""}</Table.Td>
              <Table.Td className="nowrap">{row.rejected_at && <TimeAgo value={row.rejected_at} compact />}{row.run_id && <Run row={row} onRun={onRun} />}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Run({ row, onRun }: { row: RejectedRow; onRun: (run: string) => void }) {
  return (
    <Group gap="xs">
      <Anchor component={Link} size="xs" to={`/runs/${encodeURIComponent(row.dag_id!)}/${encodeURIComponent(row.run_id!)}`}>its run</Anchor>
      <Anchor component="button" type="button" size="xs" onClick={() => onRun(row.run_id!)}>only this run</Anchor>
    </Group>
  );
}
