import { Button, Checkbox, Select, Table, Text, TextInput } from "@mantine/core";

import type { ResourceConfig } from "@/api/types";
import { CursorSelect, KeySelect } from "./KeyAndCursor";
import { offered, useLoading } from "./loading";
import { loadedAs, settings, sourceOf, type Disposition } from "./selection";
import { DISPOSITIONS } from "./ways";

interface Props {
  sourceId: number;
  label: string;
  config: ResourceConfig;
  error: string | undefined;
  problems: Record<string, string> | undefined;
  marked: boolean;
  onMark: (on: boolean) => void;
  onChange: (config: ResourceConfig) => void;
  onOpen: () => void;
}

/** One resource: what most people set, and the way to the rest. */
export function ResourceRow({ sourceId, label, config, error, problems = {}, marked, onMark, onChange, onOpen }: Props) {
  const source = sourceOf(config);
  const loading = useLoading();
  const strategy = config.write_disposition === "merge" && config.merge_strategy;
  const first = Object.entries(problems)[0];
  const wrong = error ?? (first && `${first[0] ? `${first[0]}: ` : ""}${first[1]}`);
  const shared = { sourceId, config, errors: problems, onChange };
  return (
    <Table.Tr>
      <Table.Td><Checkbox aria-label={`Mark ${label}`} checked={marked} onChange={(event) => onMark(event.currentTarget.checked)} /></Table.Td>
      <Table.Td><Text size="sm" fw={600} className="break">{label}</Text><Text size="xs" c="dimmed">{settings(config).join(", ")}</Text></Table.Td>
      <Table.Td><TextInput size="xs" aria-label={`Table of ${label}`} value={config.name} error={wrong} onChange={(event) => onChange({ ...config, name: event.currentTarget.value, source })} /></Table.Td>
      <Table.Td>
        <Select size="xs" aria-label={`How ${label} is loaded`} data={offered(DISPOSITIONS, loading?.dispositions, config.write_disposition)} value={config.write_disposition} allowDeselect={false} onChange={(value) => onChange(loadedAs(config, value as Disposition))} />
        {strategy && <Text size="xs" c="dimmed">{strategy}</Text>}
      </Table.Td>
      <Table.Td><KeySelect {...shared} /></Table.Td>
      <Table.Td><CursorSelect {...shared} /></Table.Td>
      <Table.Td><Button size="compact-xs" variant="default" onClick={onOpen} aria-label={`Settings of ${label}`}>Settings</Button></Table.Td>
    </Table.Tr>
  );
}
