import { Button, NumberInput, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { useMay } from "@/api/useMe";
import { BATCH_SIZE, configOf, resourceProblems, withConfig, type Draft } from "./draft";
import { LoadingContext, useLoadingOf } from "./loading";
import { RawConfig } from "./RawConfig";
import { ResourceTable } from "./ResourceTable";
import { SchemaPolicy } from "./SchemaPolicy";

interface Props {
  draft: Draft;
  error: unknown;
  errors: Record<string, string>;
  onChange: (part: Partial<Draft>) => void;
}

/** How what was chosen is loaded. */
export function LoadingPart({ draft, error, errors, onChange }: Props) {
  const [raw, setRaw] = useState(false);
  const readOnly = !useMay()("pipelines:write");
  const { rest, selection } = draft;
  const loading = useLoadingOf(draft.destination);
  if (!draft.source) return <Text size="sm" c="dimmed">Choose the source first.</Text>;
  return (
    <LoadingContext value={loading}>
      <Stack>
        {raw ? (
          <RawConfig config={configOf(draft)} onApply={(config) => (onChange(withConfig(config)), setRaw(false))} />
        ) : (
          <>
            <ResourceTable sourceId={Number(draft.source)} selection={selection} problems={resourceProblems(error, selection)} readOnly={readOnly} target={{ dataset: draft.dataset, connectionId: draft.destination ? Number(draft.destination) : null }} onChange={(chosen) => onChange({ selection: chosen })} />
            <NumberInput label="Rows in memory at once" maw={240} min={1} max={1_000_000} allowDecimal={false} thousandSeparator="," value={rest.batch_size ?? BATCH_SIZE} error={errors["config.batch_size"]}
              onChange={(value) => onChange({ rest: { ...rest, batch_size: Number(value) || BATCH_SIZE } })} />
            {(loading?.abilities.includes("contract") ?? true) && <SchemaPolicy value={rest.schema_changes ?? "apply"} readOnly={readOnly} error={errors["config.schema_changes"]} onChange={(policy) => onChange({ rest: { ...rest, schema_changes: policy } })} />}
          </>
        )}
        <Button variant="subtle" size="xs" style={{ alignSelf: "flex-start" }} onClick={() => setRaw(!raw)}>{raw ? "Back to the form" : "Edit as JSON"}</Button>
      </Stack>
    </LoadingContext>
  );
}
