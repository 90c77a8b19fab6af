import { Anchor, Button, Group, Select, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { fieldErrors } from "@/api/errors";
import { connections, resources, workflows } from "@/api/queries";
import type { Pipeline, PipelineConfig } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";
import { ResourcePicker } from "./ResourcePicker";
import { selected, selectionErrors, type Selection } from "./selection";

export interface PipelineValues {
  workflow_id: number;
  name: string;
  source_connection_id: number;
  dataset: string;
  config: PipelineConfig;
}

interface Props {
  pipeline?: Pipeline;
  source?: string;
  onSource?: (id: string | null) => void;
  saving: boolean;
  error: unknown;
  onSave: (values: PipelineValues) => void;
}

/** Source → resources → dataset → save. */
export function PipelineForm({ pipeline, source, onSource, saving, error, onSave }: Props) {
  const stored = pipeline?.config as PipelineConfig | undefined;
  const sourceId = pipeline ? String(pipeline.source_connection_id) : source;
  const sources = useQuery(connections());
  const flows = useQuery(workflows());
  const found = useQuery({ ...resources(sourceId ?? 0), enabled: Boolean(sourceId) });
  const [selection, setSelection] = useState<Selection>(selected(stored?.resources ?? []));
  const [tried, setTried] = useState(false);
  const form = useForm({
    initialValues: { name: pipeline?.name ?? "", dataset: pipeline?.dataset ?? "raw", workflow: pipeline ? String(pipeline.workflow_id) : "" },
    validate: {
      name: (value) => (value.trim() ? null : "Give the pipeline a name"),
      dataset: (value) => (/^[a-z](_?[a-z0-9])*$/.test(value) ? null : "Lower-case letters, digits and single _, beginning with a letter"),
    },
  });
  const workflow = form.values.workflow || String(flows.data?.items[0]?.id ?? "");
  const wrong = selectionErrors(selection);
  const chosen = Object.values(selection);
  const whole = stored && stored.mode !== "resources";
  const remote = fieldErrors(error);

  function save(values: typeof form.values) {
    setTried(true);
    if (!whole && (!chosen.length || Object.keys(wrong).length)) return;
    const config = whole ? stored : { ...stored, mode: "resources" as const, resources: chosen };
    onSave({ workflow_id: Number(workflow), name: values.name, dataset: values.dataset, source_connection_id: Number(sourceId), config });
  }

  return (
    <form onSubmit={form.onSubmit(save)} noValidate>
      <Stack>
        <Panel title="1. Source">
          <Select label="Source connection" required maw={420} readOnly={Boolean(pipeline)} value={sourceId ?? null} placeholder="Choose a connection" searchable
            data={(sources.data?.items ?? []).filter(({ direction, managed }) => direction !== "destination" && !managed).map((item) => ({ value: String(item.id), label: `${item.name} (${item.connector})` }))}
            onChange={(id) => (setSelection({}), onSource?.(id))} />
          {!pipeline && <Anchor component={Link} to="/connections/new" size="sm" mt="xs" display="inline-block">Make a new connection</Anchor>}
        </Panel>
        <Panel title="2. What to load">
          {!sourceId && <Text size="sm" c="dimmed">Choose the source first; its tables and files are listed here.</Text>}
          {whole && <Text size="sm">This pipeline loads in the mode "{stored.mode}"; edit it as YAML or over the API.</Text>}
          {sourceId && !whole && (
            <Loaded query={found}>
              {({ items }) => (
                <ResourcePicker resources={items} selection={selection} errors={wrong} refreshing={found.isFetching} onRefresh={() => void found.refetch()} onChange={setSelection} />
              )}
            </Loaded>
          )}
          {tried && !whole && !chosen.length && <Text c="var(--mantine-color-error)" size="sm" role="alert">Choose at least one resource.</Text>}
        </Panel>
        <Panel title="3. Where it lands">
          <SimpleGrid cols={{ base: 1, sm: 3 }}>
            <TextInput label="Pipeline name" required {...form.getInputProps("name")} error={form.errors.name ?? remote.name} />
            <TextInput label="Dataset" required description="The schema in the managed warehouse." inputWrapperOrder={["label", "input", "description", "error"]}
              {...form.getInputProps("dataset")} error={form.errors.dataset ?? remote.dataset} />
            <Select label="Workflow" required allowDeselect={false} readOnly={Boolean(pipeline)} data={(flows.data?.items ?? []).map((item) => ({ value: String(item.id), label: item.name }))}
              value={workflow || null} onChange={(value) => form.setFieldValue("workflow", value ?? "")} />
          </SimpleGrid>
        </Panel>
        <ErrorAlert error={error} />
        <Permitted to="pipelines:write">
          <Group><Button type="submit" loading={saving} disabled={!sourceId}>{pipeline ? "Save changes" : "Save pipeline"}</Button></Group>
        </Permitted>
      </Stack>
    </form>
  );
}
