import { Anchor, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconLockOpen, IconTable } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { $api } from "@/api/client";
import { tableRows, tables } from "@/api/queries";
import type { WarehouseTable } from "@/api/types";
import { useMay } from "@/api/useMe";
import { DataRows } from "@/components/DataRows";
import { EmptyState } from "@/components/EmptyState";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { useParam } from "@/components/useParam";
import { encryptedIn, withRevealed } from "./encrypted";

const key = ({ dataset, name }: WarehouseTable) => `${dataset}.${name}`;

export function TablesPage() {
  const query = useQuery(tables());
  const [chosen] = useParam("table");
  return (
    <Page title="Tables" description="What is in the warehouse: loaded by pipelines, made by transformations.">
      <Loaded query={query}>
        {({ items }) => {
          const found = items.find((item) => key(item) === chosen);
          if (!items.length) {
            return <Panel><EmptyState icon={<IconTable aria-hidden />} title="The warehouse is empty" text="Tables show up after the first run of a workflow." action={<Anchor component={Link} to="/pipelines" size="sm">Go to the pipelines</Anchor>} /></Panel>;
          }
          return (
            <div className="table-columns">
              <Panel><TableList tables={items} chosen={chosen} /></Panel>
              {found ? <Rows key={chosen} table={found} /> : <Panel><Text size="sm" c="dimmed">{chosen ? `There is no table ${chosen}.` : "Choose a table to see its rows."}</Text></Panel>}
            </div>
          );
        }}
      </Loaded>
    </Page>
  );
}

function TableList({ tables: list, chosen }: { tables: WarehouseTable[]; chosen: string }) {
  const [search, setSearch] = useParam("q");
  const found = list.filter((item) => key(item).toLowerCase().includes(search.toLowerCase()) && !item.name.startsWith("_"));
  const datasets = [...new Set(found.map(({ dataset }) => dataset))].sort();
  const suffix = search ? `&q=${encodeURIComponent(search)}` : "";
  return (
    <Stack gap="sm">
      <TextInput aria-label="Search tables" placeholder="Search tables" value={search} onChange={(event) => setSearch(event.currentTarget.value)} />
      {datasets.map((dataset) => (
        <div key={dataset}>
          <Text size="sm" fw={600} component="h2">{dataset}</Text>
          {found.filter((item) => item.dataset === dataset).map((item) => (
            <Group key={item.name} justify="space-between" wrap="nowrap" pl="xs">
              <Anchor component={Link} to={`?table=${encodeURIComponent(key(item))}${suffix}`} size="sm" fw={key(item) === chosen ? 700 : undefined} aria-current={key(item) === chosen || undefined} className="break">{item.name}</Anchor>
              <Text size="xs" c="dimmed" className="nowrap">{item.row_estimate === null ? item.kind : `~${item.row_estimate.toLocaleString("en")}`}</Text>
            </Group>
          ))}
        </div>
      ))}
    </Stack>
  );
}

function Rows({ table }: { table: WarehouseTable }) {
  const query = useQuery(tableRows(table.dataset, table.name));
  const may = useMay();
  const reveal = $api.useMutation("post", "/api/v1/tables/reveal");
  const encrypted = encryptedIn(query.data?.rows ?? []);
  const offered = encrypted.length > 0 && !reveal.data && may("tables:reveal");
  const shown = (rows: unknown[][]) =>
    reveal.data ? withRevealed(rows, reveal.variables.body.values, reveal.data.values) : rows;
  return (
    <Panel title={key(table)} p={0} actions={
      <Group gap="sm">
        {offered && <Button variant="default" size="compact-sm" leftSection={<IconLockOpen size={16} aria-hidden />} loading={reveal.isPending} onClick={() => reveal.mutate({ body: { values: encrypted } })}>Reveal encrypted values</Button>}
        <Text size="sm" c="dimmed">first 100 rows</Text>
      </Group>}>
      <ErrorAlert error={reveal.error} title="Not revealed" />
      <Loaded query={query}>
        {({ columns, rows }) => <DataRows label={`Rows of ${key(table)}`} columns={columns.map(({ name }) => name)} rows={shown(rows)} />}
      </Loaded>
    </Panel>
  );
}
