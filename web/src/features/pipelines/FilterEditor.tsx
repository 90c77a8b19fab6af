import { ActionIcon, Autocomplete, Button, Group, Select, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useState } from "react";

import type { PlainValue, RowFilter, SourceColumn } from "@/api/types";
import { isList, kindOf, valueOf, withKind, withOperator, type Kind } from "./filters";
import { OPERATORS } from "./ways";

interface Props {
  filters: RowFilter[];
  columns: SourceColumn[];
  /** By place and part, such as "0.column". */
  errors: Record<string, string>;
  onChange: (filters: RowFilter[]) => void;
}

/** Conditions that rows of the source must meet, all of them. */
export function FilterEditor({ filters, columns, errors, onChange }: Props) {
  const replaced = (at: number, filter: RowFilter) => onChange(filters.map((one, place) => (place === at ? filter : one)));
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">The source sends only rows that meet all of them. A missing value meets none.</Text>
      {filters.map((filter, at) => (
        <Row key={`${at} of ${filters.length}`} at={at} filter={filter} columns={columns} error={errors[`${at}.column`] ?? errors[`${at}.value`] ?? errors[`${at}`]}
          onChange={(changed) => replaced(at, changed)} onRemove={() => onChange(filters.filter((_, place) => place !== at))} />
      ))}
      <Group><Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => onChange([...filters, { column: "", op: "eq", value: null }])}>Add a filter</Button></Group>
    </Stack>
  );
}

interface RowProps {
  at: number;
  filter: RowFilter;
  columns: SourceColumn[];
  error?: string;
  onChange: (filter: RowFilter) => void;
  onRemove: () => void;
}

function Row({ at, filter, columns, error, onChange, onRemove }: RowProps) {
  const [kind, setKind] = useState<Kind>(() => kindOf(filter));
  const which = `filter ${at + 1}`;

  function choose(column: string) {
    const type = columns.find(({ name }) => name === column)?.type;
    if (type && (filter.value === null || (Array.isArray(filter.value) && !filter.value.length))) setKind(kindOf({ value: null }, type));
    onChange({ ...filter, column });
  }

  return (
    <Group gap="xs" align="flex-start" wrap="nowrap">
      <Autocomplete size="xs" aria-label={`Column of ${which}`} placeholder="Column" data={columns.map(({ name }) => name)} value={filter.column} error={error} onChange={choose} />
      <Select size="xs" w={140} aria-label={`Comparison of ${which}`} data={OPERATORS} value={filter.op} allowDeselect={false} onChange={(op) => op && onChange(withOperator(filter, op as RowFilter["op"]))} />
      <Select size="xs" w={100} aria-label={`Type of ${which}`} data={["text", "number", "boolean"]} value={kind} allowDeselect={false}
        onChange={(next) => (setKind(next as Kind), onChange(withKind(filter, next as Kind)))} />
      <Value which={which} kind={kind} filter={filter} onChange={(value) => onChange({ ...filter, value })} />
      <ActionIcon variant="subtle" color="gray" aria-label={`Remove ${which}`} onClick={onRemove}><IconX size={16} aria-hidden /></ActionIcon>
    </Group>
  );
}

function Value({ which, kind, filter, onChange }: { which: string; kind: Kind; filter: RowFilter; onChange: (value: RowFilter["value"]) => void }) {
  const [text, setText] = useState(filter.value === null || Array.isArray(filter.value) ? "" : String(filter.value));
  const label = `Value of ${which}`;
  if (isList(filter.op)) {
    const values = (Array.isArray(filter.value) ? filter.value : []).map(String);
    return (
      <TagsInput size="xs" style={{ flex: 1 }} aria-label={label} placeholder="Type a value, then Enter" value={values} splitChars={[]}
        onChange={(all) => onChange(all.map((one) => valueOf(one, kind)).filter((one): one is PlainValue => one !== null))} />
    );
  }
  if (kind === "boolean") {
    return <Select size="xs" style={{ flex: 1 }} aria-label={label} data={["true", "false"]} value={filter.value === null ? null : String(filter.value)} onChange={(value) => onChange(value === null ? null : value === "true")} />;
  }
  const wrong = kind === "number" && text !== "" && filter.value === null;
  return (
    <TextInput size="xs" style={{ flex: 1 }} aria-label={label} placeholder="Value" value={text} error={wrong && "not a number"}
      onChange={(event) => (setText(event.currentTarget.value), onChange(valueOf(event.currentTarget.value, kind)))} />
  );
}
