import { MultiSelect, Select, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { sourceColumns } from "@/api/queries";
import type { ResourceConfig } from "@/api/types";
import { sourceOf } from "./selection";

interface Props {
  sourceId: number;
  config: ResourceConfig;
  errors: Record<string, string>;
  /** In a table their labels would only repeat its header. */
  labelled?: boolean;
  onChange: (config: ResourceConfig) => void;
}

/** The columns of a resource are asked for when somebody opens a list of them, not for every row at once. */
function useColumns({ sourceId, config }: Pick<Props, "sourceId" | "config">, at_once: boolean) {
  const [opened, setOpened] = useState(at_once);
  const query = useQuery({ ...sourceColumns(sourceId, sourceOf(config)), enabled: opened });
  const lazy = {
    onDropdownOpen: () => setOpened(true),
    nothingFoundMessage: query.error ? query.error.message : query.isFetching ? "Asking the source…" : "No column fits",
  } as const;
  return { columns: query.data?.items ?? [], proposed: query.data?.primary_key, lazy };
}

export function KeySelect({ sourceId, config, errors, labelled = false, onChange }: Props) {
  const { columns, proposed, lazy } = useColumns({ sourceId, config }, labelled);
  const names = [...new Set([...config.primary_key, ...columns.map(({ name }) => name)])];
  const why = proposed && (proposed.length ? `The source's own key: ${proposed.join(", ")}.` : "The source names no key: choose columns that tell rows apart.");
  const label = `Key of ${sourceOf(config)}`;
  return (
    <MultiSelect {...lazy} size="xs" {...(labelled ? { label: "Key", description: why } : { "aria-label": label })} data={names} value={config.primary_key} searchable error={errors.primary_key}
      placeholder={config.primary_key.length ? undefined : "none"} onChange={(primary_key) => onChange({ ...config, primary_key })} />
  );
}

export function CursorSelect({ sourceId, config, errors, labelled = false, onChange }: Props) {
  const { columns, lazy } = useColumns({ sourceId, config }, labelled);
  const chosen = config.cursor?.column;
  const names = [...columns].sort((a, b) => Number(b.cursor_candidate) - Number(a.cursor_candidate)).map(({ name }) => name);
  const reasons = new Map(columns.map(({ name, why_not }) => [name, why_not]));
  const source = sourceOf(config);
  const history = config.merge_strategy === "scd2";
  return (
    <Select {...lazy} size="xs" {...(labelled ? { label: "Cursor", description: "Each load reads only what is newer than the last one's." } : { "aria-label": `Cursor of ${source}` })}
      clearable={!history} searchable disabled={history} placeholder={history ? "history reads everything" : "none: load everything"} error={errors.cursor ?? errors["cursor.column"]}
      value={chosen ?? null} data={[...new Set([...(chosen ? [chosen] : []), ...names])]} clearButtonProps={{ "aria-label": `No cursor for ${source}` }}
      renderOption={({ option }) => (
        <div><Text size="sm">{option.value}</Text>{reasons.get(option.value) && <Text size="xs" c="dimmed">no cursor as it is: {reasons.get(option.value)}</Text>}</div>
      )}
      onChange={(column) => onChange({ ...config, cursor: column ? { ...(column === chosen ? config.cursor : {}), column } : null })} />
  );
}
