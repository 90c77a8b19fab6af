import { Button, Checkbox, Group, Pagination, Table, Text } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useState } from "react";

import type { SourceTable } from "@/api/types";
import { SOURCE_PAGE, useSourceTables } from "@/api/useSourceTables";
import { ErrorAlert } from "@/components/ErrorAlert";
import { LoadingBars } from "@/components/Loaded";
import { SearchInput } from "@/components/SearchInput";
import { chosenAs, others, proposal, without, type Selection } from "./selection";

interface Props {
  sourceId: number;
  selection: Selection;
  onChange: (selection: Selection) => void;
}

/** The tables and files of a source, a page at a time: search and choose. */
export function ResourcePicker({ sourceId, selection, onChange }: Props) {
  const [search, setSearch] = useState("");
  const [page, setPage] = useState(1);
  const list = useSourceTables(sourceId, search);
  const shown = list.tables.slice((page - 1) * SOURCE_PAGE, page * SOURCE_PAGE);
  const chosen = shown.filter(({ source }) => chosenAs(selection, source)).length;
  const elsewhere = list.whole ? others(selection, list.tables) : [];
  const known = Math.max(1, Math.ceil(list.tables.length / SOURCE_PAGE));

  function toggle(tables: SourceTable[], on: boolean) {
    if (!on) return onChange(without(selection, tables.map(({ source }) => chosenAs(selection, source))));
    const added = tables.filter(({ source }) => !chosenAs(selection, source));
    onChange({ ...selection, ...Object.fromEntries(added.map((table) => [table.source, proposal(table)])) });
  }

  function open(next: number) {
    if (next > known) list.more?.();
    setPage(next);
  }

  if (list.loading) return <LoadingBars />;
  return (
    <div>
      <Group gap="sm" mb="sm">
        <SearchInput label="Search resources" onSearch={(words) => (setSearch(words), setPage(1))} />
        <Button variant="default" loading={list.takingAll} disabled={!list.tables.length} onClick={() => list.takeAll((tables) => toggle(tables, true))}>{search ? "Choose all that are found" : "Choose all"}</Button>
        <Button variant="default" disabled={!Object.keys(selection).length} onClick={() => onChange({})}>Choose none</Button>
        <Button variant="default" leftSection={<IconRefresh size={15} aria-hidden />} loading={list.refreshing} onClick={list.refresh}>Read the source again</Button>
        <Text size="sm" c="dimmed" role="status">{Object.keys(selection).length.toLocaleString("en")} chosen</Text>
      </Group>
      {list.error ? <ErrorAlert error={list.error} retry={list.refresh} /> : null}
      <Table aria-label="Resources" verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={36}>
              <Checkbox aria-label="Choose all that are shown" checked={chosen > 0 && chosen === shown.length} indeterminate={chosen > 0 && chosen < shown.length}
                onChange={(event) => toggle(shown, event.currentTarget.checked)} />
            </Table.Th>
            <Table.Th>Resource</Table.Th><Table.Th>Key</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map((table) => (
            <Row key={table.source} source={table.source} note={size(table)} primaryKey={table.primary_key} chosen={chosenAs(selection, table.source) !== null} onToggle={(on) => toggle([table], on)} />
          ))}
          {elsewhere.slice(0, SOURCE_PAGE).map((name) => (
            <Row key={name} source={name} note="not at the source any more" primaryKey={selection[name]!.primary_key} chosen onToggle={() => onChange(without(selection, [name]))} />
          ))}
        </Table.Tbody>
      </Table>
      {!list.tables.length && <Text size="sm" c="dimmed" mt="xs">{search ? "No resource is called like that." : "The source holds no table or file."}</Text>}
      {(known > 1 || list.more) && (
        <Pagination mt="sm" size="sm" total={known + (list.more ? 1 : 0)} value={page} onChange={open} disabled={list.loadingMore} getControlProps={(control) => ({ "aria-label": `${control} page` })} />
      )}
    </div>
  );
}

function Row({ source, note, primaryKey, chosen, onToggle }: { source: string; note: string; primaryKey: string[]; chosen: boolean; onToggle: (on: boolean) => void }) {
  return (
    <Table.Tr>
      <Table.Td><Checkbox aria-label={`Load ${source}`} checked={chosen} onChange={(event) => onToggle(event.currentTarget.checked)} /></Table.Td>
      <Table.Td><Text size="sm" fw={600} className="break">{source}</Text><Text size="xs" c="dimmed">{note}</Text></Table.Td>
      <Table.Td>{primaryKey.length ? <Text size="sm" className="break">{primaryKey.join(", ")}</Text> : <Text size="xs" c="dimmed">the source names none</Text>}</Table.Td>
    </Table.Tr>
  );
}

function size({ kind, row_estimate }: SourceTable): string {
  return row_estimate === null ? kind : `${kind}, about ${row_estimate.toLocaleString("en")} rows`;
}
