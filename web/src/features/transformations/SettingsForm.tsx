import { Select, SimpleGrid, TagsInput, TextInput } from "@mantine/core";

import type { TransformationConfig } from "@/api/types";
import type { Draft } from "./draft";

const MATERIALIZATIONS = ["view", "table", "incremental", "ephemeral"];
const KINDS = [
  { value: "dbt_model", label: "Model (a query)" },
  { value: "dbt_snapshot", label: "Snapshot (its history)" },
];

/** Name, place and way of keeping. */
export function SettingsForm({ draft, errors, onChange }: { draft: Draft; errors: Record<string, string>; onChange: (draft: Draft) => void }) {
  const { config } = draft;
  const set = (change: Partial<TransformationConfig>) => onChange({ ...draft, config: { ...config, ...change } });
  const asKind = (kind: Draft["kind"]) =>
    onChange({
      ...draft,
      kind,
      config: kind === "dbt_model" ? { sql: config.sql, materialization: "table", tests: config.tests } : { sql: config.sql, strategy: "check", unique_key: [], tests: config.tests },
    });
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 4 }}>
      <TextInput label="Name" required value={draft.name} error={errors.name} onChange={(event) => onChange({ ...draft, name: event.currentTarget.value })} />
      <TextInput label="Dataset" required value={draft.dataset} error={errors.dataset} onChange={(event) => onChange({ ...draft, dataset: event.currentTarget.value })} />
      <Select label="Kind" data={KINDS} value={draft.kind} allowDeselect={false} readOnly={Boolean(draft.id)} onChange={(kind) => asKind(kind as Draft["kind"])} />
      {draft.kind === "dbt_model" ? (
        <Select label="Kept as" data={MATERIALIZATIONS} value={config.materialization ?? "view"} allowDeselect={false} error={errors.materialization}
          onChange={(value) => set({ materialization: value as TransformationConfig["materialization"] })} />
      ) : (
        <Select label="A row has changed when" data={[{ value: "check", label: "its columns differ" }, { value: "timestamp", label: "its time is newer" }]} value={config.strategy ?? "check"}
          allowDeselect={false} onChange={(value) => set({ strategy: value as "check" | "timestamp" })} />
      )}
      {(config.materialization === "incremental" || draft.kind === "dbt_snapshot") && (
        <TagsInput label="Unique key" value={config.unique_key ?? []} error={errors.unique_key} onChange={(unique_key) => set({ unique_key })} />
      )}
      {config.strategy === "timestamp" && (
        <TextInput label="Column with that time" value={config.updated_at ?? ""} error={errors.updated_at} onChange={(event) => set({ updated_at: event.currentTarget.value || null })} />
      )}
    </SimpleGrid>
  );
}
