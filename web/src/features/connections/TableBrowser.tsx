import { Anchor, Button, Group, Select, Stack, Text } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { sourceSchemas } from "@/api/queries";
import type { Connection, SourceTable } from "@/api/types";
import { useSourceTables, type SourceTables } from "@/api/useSourceTables";
import { ErrorAlert } from "@/components/ErrorAlert";
import { LoadingBars } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { SearchInput } from "@/components/SearchInput";
import { TimeAgo } from "@/components/Time";
import { useParam } from "@/components/useParam";
import { TableDetails } from "./TableDetails";

/** What a connection has: schemas, tables and files on the left, one of them on the right. */
export function TableBrowser({ connection }: { connection: Connection }) {
  const [search, setSearch] = useParam("q");
  const [schema, setSchema] = useParam("schema");
  const [chosen, choose] = useParam("table");
  const schemas = useQuery(sourceSchemas(connection.id));
  const list = useSourceTables(connection.id, search, schema);
  const names = schemas.data?.items ?? [];
  return (
    <div className="table-columns">
      <Panel>
        <Stack gap="sm">
          <SearchInput label="Search tables" initial={search} onSearch={setSearch} />
          {names.length > 1 && (
            <Select aria-label="Schema" placeholder="All schemas" clearable searchable data={names} value={schema || null} onChange={setSchema} clearButtonProps={{ "aria-label": "All schemas" }} />
          )}
          <TableList list={list} search={search} chosen={chosen} onChoose={choose} />
        </Stack>
      </Panel>
      {chosen
        ? <TableDetails key={chosen} connection={connection} table={chosen} />
        : <Panel><Text size="sm" c="dimmed">Choose a table to see its columns, its first rows, and what is in them.</Text></Panel>}
    </div>
  );
}

function TableList({ list, search, chosen, onChoose }: { list: SourceTables; search: string; chosen: string; onChoose: (source: string) => void }) {
  if (list.loading) return <LoadingBars />;
  if (list.error) return <ErrorAlert error={list.error} retry={list.refresh} />;
  return (
    <>
      <Stack component="ul" gap={2} className="plain-list" aria-label="Tables">
        {list.tables.map((table) => (
          <Group key={table.source} component="li" justify="space-between" wrap="nowrap" gap="xs">
            <Anchor component="button" type="button" size="sm" ta="left" className="break" fw={table.source === chosen ? 700 : undefined}
              aria-current={table.source === chosen || undefined} onClick={() => onChoose(table.source)}>{table.source}</Anchor>
            <Text size="xs" c="dimmed" className="nowrap">{size(table)}</Text>
          </Group>
        ))}
      </Stack>
      {!list.tables.length && <Text size="sm" c="dimmed">{search ? "No table is called like that." : "There is no table or file that this connection may read."}</Text>}
      {list.more && <Button variant="default" size="xs" loading={list.loadingMore} onClick={list.more}>Show more</Button>}
      <Group justify="space-between" gap="xs">
        <Text size="xs" c="dimmed" role="status">{list.tables.length}{list.more ? " and more" : ""}, listed <TimeAgo value={list.listedAt} compact /></Text>
        <Button variant="subtle" size="compact-xs" leftSection={<IconRefresh size={13} aria-hidden />} loading={list.refreshing} onClick={list.refresh}>List again</Button>
      </Group>
    </>
  );
}

function size({ kind, row_estimate }: SourceTable): string {
  return row_estimate === null ? kind : `~${row_estimate.toLocaleString("en")}`;
}
