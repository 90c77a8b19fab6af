import { Button, Group, List, Stack } from "@mantine/core";
import { useState } from "react";

import { fieldErrors } from "@/api/errors";
import type { Pipeline } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";
import { DestinationPart } from "./DestinationPart";
import { draftErrors } from "./draft";
import { LoadingPart } from "./LoadingPart";
import { ResourcesPart } from "./ResourcesPart";
import { SourcePart } from "./SourcePart";
import { useDraft, type PipelineBody } from "./useDraft";

interface Props {
  pipeline: Pipeline;
  saving: boolean;
  error: unknown;
  onSave: (body: PipelineBody) => void;
}

/** All of a pipeline on one page. */
export function PipelineForm({ pipeline, saving, error, onSave }: Props) {
  const { draft, change, body } = useDraft(pipeline);
  const [tried, setTried] = useState(false);
  const wrong = Object.entries(draftErrors(draft));
  const remote = fieldErrors(error);

  function save() {
    setTried(true);
    if (!wrong.length) onSave(body());
  }

  return (
    <Stack>
      <Panel title="Source"><SourcePart source={draft.source} fixed onSource={() => undefined} /></Panel>
      <Panel title="Destination"><DestinationPart draft={draft} fixed errors={remote} onChange={change} /></Panel>
      <Panel title="Loading"><LoadingPart draft={draft} error={error} errors={remote} onChange={change} /></Panel>
      <Panel title="Resources"><ResourcesPart draft={draft} errors={remote} onChange={change} /></Panel>
      {tried && wrong.length > 0 && <List role="alert" size="sm" c="var(--mantine-color-error)">{wrong.map(([step, words]) => <List.Item key={step}>{step}: {words}</List.Item>)}</List>}
      <ErrorAlert error={error} />
      <Permitted to="pipelines:write"><Group><Button loading={saving} onClick={save}>Save changes</Button></Group></Permitted>
    </Stack>
  );
}
