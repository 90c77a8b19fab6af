import { ActionIcon, Button, Group, Select, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useState } from "react";

import type { CalculatedColumn, ColumnType, ResourceConfig } from "@/api/types";
import { TYPES, without } from "./functions";

interface Props {
  config: ResourceConfig;
  /** By name; the words of a wrong expression begin with line and column. */
  errors: Record<string, string>;
  onChange: (config: ResourceConfig) => void;
}

/** Columns that are made from others of the same row. */
export function CalculatedColumns({ config, errors, onChange }: Props) {
  const [added, setAdded] = useState("");
  const calculated = config.calculated ?? {};
  const set = (next: Record<string, CalculatedColumn>) => onChange({ ...config, calculated: next });

  function add() {
    set({ ...calculated, [added.trim()]: { expression: "", type: "text" } });
    setAdded("");
  }

  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">An expression names columns as they are called in the table, behind their functions: price * 1.19, concat(first, ' ', last), CASE WHEN city = '' THEN 'none' ELSE upper(city) END.</Text>
      {Object.entries(calculated).map(([name, column]) => (
        <Group key={name} gap="xs" align="flex-start" wrap="nowrap">
          <Textarea size="xs" flex={1} rows={2} ff="monospace" label={name} value={column.expression} error={errors[name] ?? errors[`${name}.expression`]} spellCheck={false}
            onChange={(event) => set({ ...calculated, [name]: { ...column, expression: event.currentTarget.value } })} />
          <Select size="xs" w={120} label="Type" aria-label={`Type of ${name}`} allowDeselect={false} data={TYPES} value={column.type} onChange={(type) => set({ ...calculated, [name]: { ...column, type: type as ColumnType } })} />
          <ActionIcon mt={26} size="sm" variant="subtle" color="gray" aria-label={`Remove ${name}`} onClick={() => set(without(calculated, [name]))}><IconX size={14} aria-hidden /></ActionIcon>
        </Group>
      ))}
      <Group gap="xs">
        <TextInput size="xs" aria-label="Name of a new calculated column" placeholder="Name of a new column" value={added} onChange={(event) => setAdded(event.currentTarget.value)} />
        <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} disabled={!added.trim() || added.trim() in calculated} onClick={add}>Add a calculated column</Button>
      </Group>
    </Stack>
  );
}
