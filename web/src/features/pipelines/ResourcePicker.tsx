import { Button, Checkbox, Group, MultiSelect, Select, Table, Text, TextInput } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useState } from "react";

import type { Resource, ResourceConfig } from "@/api/types";
import { chosenAs, proposal, vanished, withDisposition, without, type Disposition, type Selection } from "./selection";

const DISPOSITIONS = [
  { value: "append", label: "append: add the rows" },
  { value: "replace", label: "replace: the whole table" },
  { value: "merge", label: "merge: update by key" },
];

interface Props {
  resources: Resource[];
  selection: Selection;
  errors: Record<string, string>;
  refreshing: boolean;
  onRefresh: () => void;
  onChange: (selection: Selection) => void;
}

/** The tables and files of a source: search, choose, and say how each one is loaded. */
export function ResourcePicker({ resources, selection, errors, refreshing, onRefresh, onChange }: Props) {
  const [search, setSearch] = useState("");
  const found = resources
    .filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()))
    .sort((a, b) => a.name.localeCompare(b.name));
  const chosen = found.filter(({ name }) => chosenAs(selection, name)).length;

  function toggle(list: Resource[], on: boolean) {
    if (!on) return onChange(without(selection, list.map(({ name }) => chosenAs(selection, name))));
    const added = list.filter(({ name }) => !chosenAs(selection, name));
    onChange({ ...selection, ...Object.fromEntries(added.map((resource) => [resource.name, proposal(resource)])) });
  }

  return (
    <>
      <Group gap="sm" mb="sm">
        <TextInput aria-label="Search resources" placeholder={`Search ${resources.length} resources`} value={search} onChange={(event) => setSearch(event.currentTarget.value)} />
        <Select aria-label="Disposition of all chosen" placeholder="Set all chosen to…" data={DISPOSITIONS} value={null} disabled={!Object.keys(selection).length}
          onChange={(value) => value && onChange(withDisposition(selection, value as Disposition))} />
        <Button variant="default" leftSection={<IconRefresh size={15} aria-hidden />} loading={refreshing} onClick={onRefresh}>Read the source again</Button>
        <Text size="sm" c="dimmed" role="status">{Object.keys(selection).length} chosen</Text>
      </Group>
      <Table.ScrollContainer minWidth={940} type="native">
        <Table aria-label="Resources" verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={36}>
                <Checkbox aria-label="Choose all that are shown" checked={chosen > 0 && chosen === found.length} indeterminate={chosen > 0 && chosen < found.length}
                  onChange={(event) => toggle(found, event.currentTarget.checked)} />
              </Table.Th>
              <Table.Th>Resource</Table.Th><Table.Th>Table</Table.Th><Table.Th>Load</Table.Th><Table.Th>Key</Table.Th><Table.Th>Cursor</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {found.map((resource) => {
              const key = chosenAs(selection, resource.name) ?? resource.name;
              return (
                <Row key={resource.name} resource={resource} config={selection[key]} error={errors[key]}
                  onToggle={(on) => toggle([resource], on)} onChange={(config) => onChange({ ...selection, [key]: config })} />
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {vanished(selection, resources).map((name) => (
        <Group key={name} gap="xs" mt="xs" role="alert">
          <Text size="sm">"{name}" is chosen, but it is not at the source any more.</Text>
          <Button size="compact-xs" variant="default" aria-label={`Remove ${name}`} onClick={() => onChange(without(selection, [name]))}>Remove</Button>
        </Group>
      ))}
      {!found.length && <Text size="sm" c="dimmed">{resources.length ? "No resource is called like that." : "The source holds no table or file."}</Text>}
    </>
  );
}

function Row({ resource, config, error, onToggle, onChange }: {
  resource: Resource;
  config: ResourceConfig | undefined;
  error: string | undefined;
  onToggle: (on: boolean) => void;
  onChange: (config: ResourceConfig) => void;
}) {
  const { name } = resource;
  const columns = resource.columns.map((column) => column.name);
  const size = resource.row_estimate === null ? "" : `, about ${resource.row_estimate.toLocaleString("en")} rows`;
  return (
    <Table.Tr>
      <Table.Td><Checkbox aria-label={`Load ${name}`} checked={Boolean(config)} onChange={(event) => onToggle(event.currentTarget.checked)} /></Table.Td>
      <Table.Td><Text size="sm" fw={600} className="break">{name}</Text><Text size="xs" c="dimmed">{columns.length} columns{size}</Text></Table.Td>
      {config ? (
        <>
          <Table.Td><TextInput size="xs" aria-label={`Table of ${name}`} value={config.name} error={error} onChange={(event) => onChange({ ...config, name: event.currentTarget.value, source: name })} /></Table.Td>
          <Table.Td><Select size="xs" aria-label={`How ${name} is loaded`} data={DISPOSITIONS} value={config.write_disposition} allowDeselect={false} onChange={(value) => onChange({ ...config, write_disposition: value as Disposition })} /></Table.Td>
          <Table.Td><MultiSelect size="xs" aria-label={`Key of ${name}`} data={columns} value={config.primary_key} searchable placeholder={config.primary_key.length ? undefined : "none"} onChange={(primary_key) => onChange({ ...config, primary_key })} /></Table.Td>
          <Table.Td>
            <Select size="xs" aria-label={`Cursor of ${name}`} clearable placeholder="none: load everything" value={config.cursor?.column ?? null}
              data={resource.cursor_candidates} onChange={(column) => onChange({ ...config, cursor: column ? { ...config.cursor, column } : null })}
              clearButtonProps={{ "aria-label": `No cursor for ${name}` }} />
          </Table.Td>
        </>
      ) : (
        <Table.Td colSpan={4}><Text size="xs" c="dimmed">not loaded</Text></Table.Td>
      )}
    </Table.Tr>
  );
}
