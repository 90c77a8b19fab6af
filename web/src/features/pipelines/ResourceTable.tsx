import { Checkbox, Pagination, Stack, Table, Text, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useState } from "react";

import type { ResourceConfig } from "@/api/types";
import { SearchInput } from "@/components/SearchInput";
import { BulkBar } from "./BulkBar";
import type { Target } from "./DraftPreview";
import { ResourceEditor } from "./ResourceEditor";
import { ResourceRow } from "./ResourceRow";
import { changed, selectionErrors, without, type Selection } from "./selection";

const PAGE = 25;
const order = new Intl.Collator("en").compare; // far faster than localeCompare for 5,000 names
const SORTS: Record<string, (name: string, config: ResourceConfig) => string> = {
  Resource: (name) => name,
  Table: (_, { name }) => name,
  Load: (_, { write_disposition, merge_strategy = "" }) => `${write_disposition} ${merge_strategy}`,
  Key: (_, { primary_key }) => primary_key.join(),
  Cursor: (_, { cursor }) => cursor?.column ?? "",
};

interface Props {
  sourceId: number;
  selection: Selection;
  /** The service's, by resource and field. */
  problems: Record<string, Record<string, string>>;
  readOnly: boolean;
  target?: Target;
  onChange: (selection: Selection) => void;
}

/** How each chosen resource is loaded: sorted, searched, changed one by one or many at once. */
export function ResourceTable({ sourceId, selection, problems, readOnly, target, onChange }: Props) {
  const [search, setSearch] = useState("");
  const [sort, setSort] = useState({ by: "Resource", down: false });
  const [page, setPage] = useState(1);
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const [opened, setOpened] = useState<string | null>(null);
  const wrong = selectionErrors(selection);
  const words = search.trim().toLowerCase();
  const found = Object.entries(selection).filter(([name, config]) => `${name} ${config.name}`.toLowerCase().includes(words));
  const value = SORTS[sort.by]!;
  found.sort(([a, one], [b, other]) => (sort.down ? -1 : 1) * (order(value(a, one), value(b, other)) || order(a, b)));
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const at = Math.min(page, pages);
  const meant = found.map(([name]) => name).filter((name) => marked.has(name));
  const edited = opened === null ? undefined : selection[opened];
  const set = (name: string, config: ResourceConfig) => onChange({ ...selection, [name]: config });
  const mark = (names: string[], on: boolean) => setMarked((before) => new Set(on ? [...before, ...names] : [...before].filter((name) => !names.includes(name))));

  if (!Object.keys(selection).length) return <Text size="sm" c="dimmed">No resource is chosen.</Text>;
  return (
    <Stack gap="sm">
      <SearchInput label="Search chosen resources" maw={320} onSearch={(words) => (setSearch(words), setPage(1))} />
      {!readOnly && <BulkBar count={meant.length} onChange={(change) => onChange(changed(selection, meant, change))} onRemove={() => onChange(without(selection, meant))} />}
      <Table.ScrollContainer minWidth={980} type="native">
        <Table aria-label="Chosen resources" verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={36}><Checkbox aria-label="Mark all that are found" checked={meant.length > 0 && meant.length === found.length} indeterminate={meant.length > 0 && meant.length < found.length} onChange={(event) => mark(found.map(([name]) => name), event.currentTarget.checked)} /></Table.Th>
              {Object.keys(SORTS).map((by) => <Sorted key={by} by={by} sort={sort} onSort={setSort} />)}
              <Table.Th pos="relative"><VisuallyHidden>Settings</VisuallyHidden></Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {found.slice((at - 1) * PAGE, at * PAGE).map(([name, config]) => (
              <ResourceRow key={name} sourceId={sourceId} label={name} config={config} error={wrong[name]} problems={problems[name]} marked={marked.has(name)}
                onMark={(on) => mark([name], on)} onChange={(next) => set(name, next)} onOpen={() => setOpened(name)} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {!found.length && <Text size="sm" c="dimmed">No resource is called like that.</Text>}
      {pages > 1 && <Pagination size="sm" total={pages} value={at} onChange={setPage} getControlProps={(control) => ({ "aria-label": `${control} page` })} />}
      {edited && (
        <ResourceEditor key={opened} sourceId={sourceId} label={opened!} config={edited} error={wrong[opened!]} problems={problems[opened!] ?? {}} readOnly={readOnly} target={target}
          onChange={(next) => set(opened!, next)} onClose={() => setOpened(null)} />
      )}
    </Stack>
  );
}

function Sorted({ by, sort, onSort }: { by: string; sort: { by: string; down: boolean }; onSort: (sort: { by: string; down: boolean }) => void }) {
  const here = sort.by === by;
  const Icon = sort.down ? IconArrowDown : IconArrowUp;
  return (
    <Table.Th aria-sort={here ? (sort.down ? "descending" : "ascending") : "none"}>
      <UnstyledButton fz="sm" fw={600} onClick={() => onSort({ by, down: here && !sort.down })}>{by} {here && <Icon size={13} aria-hidden />}</UnstyledButton>
    </Table.Th>
  );
}
