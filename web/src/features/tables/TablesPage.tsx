import { Anchor, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconTable } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { tableRows, tables } from "@/api/queries";
import type { WarehouseTable } from "@/api/types";
import { DataRows } from "@/components/DataRows";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { useParam } from "@/components/useParam";

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
  return (
    <Panel title={key(table)} p={0} actions={<Text size="sm" c="dimmed">first 100 rows</Text>}>
      <Loaded query={query}>
        {({ columns, rows }) => <DataRows label={`Rows of ${key(table)}`} columns={columns.map(({ name }) => name)} rows={rows} />}
      </Loaded>
    </Panel>
  );
}
