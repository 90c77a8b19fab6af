import { Anchor, Button, Group, Select, Stack, Text } from "@mantine/core";
import { IconRefresh, IconTable } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { loadedRows, loadedTables } from "@/api/queries";
import type { LoadedTable } from "@/api/types";
import { DataRows } from "@/components/DataRows";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { useParam } from "@/components/useParam";
import { SUFFIX } from "./rejected";

const MOST = 100;

/** Rows of what a pipeline has loaded, at whatever destination. */
export function LoadedTables({ id }: { id: number }) {
  return (
    <Loaded query={useQuery(loadedTables(id))}>
      {({ items }) => <Tables id={id} tables={items} empty={<EmptyState icon={<IconTable aria-hidden />} title="Nothing is loaded yet" text="Tables show up after the first run." action={<Anchor component={Link} to="/runs" size="sm">Go to the runs</Anchor>} />} />}
    </Loaded>
  );
}

/** One of the tables and its first rows; with `suffix` those of the table that is called so beside it. */
export function Tables({ id, tables, empty, suffix = "" }: { id: number; tables: LoadedTable[]; empty: React.ReactNode; suffix?: "" | typeof SUFFIX }) {
  const [chosen, setChosen] = useParam("table");
  const names = tables.map(({ name }) => name);
  const table = names.includes(chosen) ? chosen : names[0];
  if (!table) return <Panel>{empty}</Panel>;
  return (
    <Stack>
      <Select label="Table" maw={320} data={names} value={table} allowDeselect={false} searchable onChange={setChosen} />
      <Rows key={table} id={id} table={table + suffix} />
    </Stack>
  );
}

function Rows({ id, table }: { id: number; table: string }) {
  const query = useQuery(loadedRows(id, table, MOST));
  const found = query.data;
  return (
    <Panel title={table} p={0}
      actions={
        <Group gap="sm">
          {found && <Text size="sm" c="dimmed">{found.complete ? "all rows" : `first ${found.rows.length} rows`}</Text>}
          <Button size="xs" variant="default" leftSection={<IconRefresh size={14} aria-hidden />} loading={query.isFetching} onClick={() => void query.refetch()}>Read again</Button>
        </Group>
      }>
      <Loaded query={query}>
        {({ columns, rows }) => <DataRows label={`Rows of ${table}`} columns={columns.map(({ name }) => name)} rows={rows} />}
      </Loaded>
    </Panel>
  );
}
