import { Checkbox, Select, Table, Text, TextInput } from "@mantine/core";

import type { ColumnConfig, ResourceConfig, SourceColumn } from "@/api/types";

const TYPES = ["text", "integer", "number", "boolean", "date", "timestamp"];
const MASKS = [
  { value: "hash", label: "hash: the same text for the same value" },
  { value: "redact", label: "redact: a constant" },
  { value: "partial", label: "partial: the last four characters" },
  { value: "encrypt", label: "encrypt: administrators can have it revealed" },
  { value: "drop", label: "drop: no such column" },
];

interface Props {
  config: ResourceConfig;
  columns: SourceColumn[];
  errors: Record<string, string>;
  onChange: (config: ResourceConfig) => void;
}

/** What happens to each column of the source: loaded or not, its name, its type, its mask. */
export function ColumnTable({ config, columns, errors, onChange }: Props) {
  const set = config.columns ?? {};
  const names = [...new Set([...columns.map(({ name }) => name), ...Object.keys(set)])];
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  const loaded = (name: string) => set[name]?.include ?? (set[name] ? true : config.other_columns !== "exclude");

  function change(name: string, part: ColumnConfig) {
    const { [name]: before = {}, ...others } = set;
    const next = { ...before, ...part };
    const { include = true, ...rest } = next;
    const plain = include === (config.other_columns !== "exclude") && Object.values(rest).every((value) => value === null || value === undefined);
    onChange({ ...config, columns: plain ? others : { ...others, [name]: next } });
  }

  return (
    <>
      <Select label="Columns that are not named here" size="xs" maw={320} my="sm" data={[{ value: "include", label: "are loaded as they are" }, { value: "exclude", label: "are not loaded" }]}
        value={config.other_columns ?? "include"} allowDeselect={false} onChange={(value) => onChange({ ...config, other_columns: value as "include" | "exclude" })} />
      <Table.ScrollContainer minWidth={680} type="native">
        <Table aria-label={`Columns of ${config.name}`} verticalSpacing={4} fz="sm">
          <Table.Thead><Table.Tr><Table.Th w={60}>Load</Table.Th><Table.Th miw={130}>Column</Table.Th><Table.Th>Name in the table</Table.Th><Table.Th>Type</Table.Th><Table.Th>Mask</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {names.map((name) => (
              <Table.Tr key={name}>
                <Table.Td><Checkbox size="xs" aria-label={`Load column ${name}`} checked={loaded(name)} onChange={(event) => change(name, { include: event.currentTarget.checked })} /></Table.Td>
                <Table.Td className="break">{name}<Text size="xs" c="dimmed">{types.get(name) ?? "not at the source"}</Text></Table.Td>
                <Table.Td><TextInput size="xs" aria-label={`Name of ${name}`} placeholder={name} value={set[name]?.name ?? ""} error={errors[`${name}.name`] ?? errors[name]} onChange={(event) => change(name, { name: event.currentTarget.value || null })} /></Table.Td>
                <Table.Td><Select size="xs" aria-label={`Type of ${name}`} placeholder="as it is" clearable data={TYPES} value={set[name]?.type ?? null} error={errors[`${name}.type`]} onChange={(type) => change(name, { type: type as ColumnConfig["type"] })} clearButtonProps={{ "aria-label": `Type of ${name} as it is` }} /></Table.Td>
                <Table.Td><Select size="xs" aria-label={`Mask of ${name}`} placeholder="none" clearable data={MASKS} value={(set[name]?.mask as string | null | undefined) ?? null} error={errors[`${name}.mask`]} onChange={(mask) => change(name, { mask })} clearButtonProps={{ "aria-label": `No mask for ${name}` }} /></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </>
  );
}
