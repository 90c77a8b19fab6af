import { SegmentedControl, Stack, TagsInput, Text, TextInput } from "@mantine/core";

import type { PipelineConfig } from "@/api/types";
import type { Draft } from "./draft";
import { ResourcePicker } from "./ResourcePicker";

const MODES: { value: PipelineConfig["mode"]; label: string }[] = [
  { value: "resources", label: "Chosen tables" },
  { value: "single_table", label: "One table" },
  { value: "full_database", label: "The whole source" },
];

interface Props {
  draft: Draft;
  errors: Record<string, string>;
  onChange: (part: Partial<Draft>) => void;
}

/** Which tables and files are loaded. */
export function ResourcesPart({ draft, errors, onChange }: Props) {
  const { rest, selection } = draft;
  if (!draft.source) return <Text size="sm" c="dimmed">Choose the source first; its tables and files are listed here.</Text>;
  const set = (part: Partial<Draft["rest"]>) => onChange({ rest: { ...rest, ...part } });
  return (
    <Stack>
      <SegmentedControl aria-label="What is loaded" maw="100%" style={{ alignSelf: "flex-start", overflowX: "auto" }} data={MODES} value={rest.mode} onChange={(mode) => set({ mode: mode as PipelineConfig["mode"] })} />
      {rest.mode === "full_database" && (
        <>
          <TextInput label="Schema" maw={420} description="Empty: as the connection says." value={rest.source_schema ?? ""} error={errors["config.source_schema"]}
            onChange={(event) => set({ source_schema: event.currentTarget.value || null })} />
          <TagsInput label="Only these tables" maw={640} description="Empty: every table. New ones come along by themselves." value={rest.table_names ?? []} error={errors["config.table_names"]}
            onChange={(table_names) => set({ table_names })} />
          <Text size="sm">Every table is replaced as a whole. Choose those that are loaded in another way:</Text>
        </>
      )}
      <ResourcePicker key={draft.source} sourceId={Number(draft.source)} selection={selection} onChange={(chosen) => onChange({ selection: chosen })} />
    </Stack>
  );
}
