import { ActionIcon, Group, Select, Table, Text, TextInput } from "@mantine/core";
import { IconX } from "@tabler/icons-react";

import type { ColumnConfig, FunctionCall, ResourceConfig, SourceColumn } from "@/api/types";
import { called, changedColumn, FUNCTIONS, withArgument, without } from "./functions";

interface Props {
  config: ResourceConfig;
  columns: Pick<SourceColumn, "name">[];
  /** By column, such as "price.functions". */
  errors: Record<string, string>;
  onChange: (config: ResourceConfig) => void;
}

/** What happens to the values of each column: functions one after the other, and a default. */
export function ColumnMapping({ config, columns, errors, onChange }: Props) {
  const set = config.columns ?? {};
  const names = [...new Set([...columns.map(({ name }) => name), ...Object.keys(set)])];

  function change(name: string, part: ColumnConfig) {
    const next = changedColumn(set[name], part);
    onChange({ ...config, columns: next ? { ...set, [name]: next } : without(set, [name]) });
  }

  return (
    <Table.ScrollContainer minWidth={620} type="native">
      <Table aria-label={`Values of ${config.name}`} verticalSpacing={4} fz="sm">
        <Table.Thead><Table.Tr><Table.Th>Column</Table.Th><Table.Th>Functions, in this order</Table.Th><Table.Th>Where it is missing</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {names.map((name) => (
            <Table.Tr key={name}>
              <Table.Td className="break">{name}</Table.Td>
              <Table.Td>
                <Functions column={name} calls={set[name]?.functions ?? []} onChange={(functions) => change(name, { functions })} />
                <Problem words={Object.entries(errors).find(([field]) => field === name || field.startsWith(`${name}.functions`))?.[1]} />
              </Table.Td>
              <Table.Td><TextInput size="xs" aria-label={`Default of ${name}`} placeholder="none" value={String(set[name]?.default ?? "")} error={errors[`${name}.default`]} onChange={(event) => change(name, { default: event.currentTarget.value || null })} /></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Problem({ words }: { words: string | undefined }) {
  return words ? <Text size="xs" c="var(--mantine-color-error)" role="alert">{words}</Text> : null;
}

function Functions({ column, calls, onChange }: { column: string; calls: FunctionCall[]; onChange: (calls: FunctionCall[]) => void }) {
  const replaced = (at: number, call: FunctionCall) => onChange(calls.map((one, place) => (place === at ? call : one)));
  return (
    <>
      {calls.map((call, at) => (
        <Group key={at} gap={4} mb={4} wrap="nowrap">
          <Text span size="sm" fw={600}>{call.name}</Text>
          {(FUNCTIONS[call.name] ?? []).map(({ label }, place) => (
            <TextInput key={label} size="xs" w={130} placeholder={label} aria-label={`${call.name} of ${column}: ${label}`} value={String(call.arguments?.[place] ?? "")}
              onChange={(event) => replaced(at, withArgument(call, place, event.currentTarget.value))} />
          ))}
          <ActionIcon size="sm" variant="subtle" color="gray" aria-label={`Remove ${call.name} from ${column}`} onClick={() => onChange(calls.filter((_, place) => place !== at))}><IconX size={14} aria-hidden /></ActionIcon>
        </Group>
      ))}
      <Select size="xs" w={160} aria-label={`Add a function to ${column}`} placeholder="Add a function" searchable data={Object.keys(FUNCTIONS)} value={null} onChange={(name) => name && onChange([...calls, called(name)])} />
    </>
  );
}
