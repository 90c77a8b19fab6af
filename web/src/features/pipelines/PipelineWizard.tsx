import { Alert, Button, Group, Stack, Stepper } from "@mantine/core";
import { useState, type ReactNode } from "react";

import { fieldErrors } from "@/api/errors";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Panel } from "@/components/Page";
import { DestinationPart } from "./DestinationPart";
import { draftErrors, stepOf, STEPS } from "./draft";
import { LoadingPart } from "./LoadingPart";
import { ResourcesPart } from "./ResourcesPart";
import { Review } from "./Review";
import { SourcePart } from "./SourcePart";
import { useDraft, type PipelineBody } from "./useDraft";

interface Props {
  source: string;
  onSource: (id: string) => void;
  saving: boolean;
  error: unknown;
  onSave: (body: PipelineBody) => void;
}

/** Source → resources → destination → loading → review. */
export function PipelineWizard({ source, onSource, saving, error, onSave }: Props) {
  const { draft, change, body } = useDraft(undefined, source);
  const [step, setStep] = useState(source ? 1 : 0);
  const [tried, setTried] = useState(false);
  const wrong = draftErrors(draft);
  const here = STEPS[step]!;
  const remote = fieldErrors(error);
  const refused = stepOf(error);
  const firstWrong = STEPS.findIndex((name) => wrong[name]);
  const reachable = firstWrong < 0 ? STEPS.length : firstWrong;

  function next() {
    setTried(true);
    if (wrong[here]) return;
    setTried(false);
    setStep(step + 1);
  }

  const parts: Record<(typeof STEPS)[number], ReactNode> = {
    Source: <SourcePart source={draft.source} fixed={false} error={remote.source_connection_id} onSource={(id) => (onSource(id), change({ source: id, selection: {} }))} />,
    Resources: <ResourcesPart draft={draft} errors={remote} onChange={change} />,
    Destination: <DestinationPart draft={draft} fixed={false} errors={remote} onChange={change} />,
    Loading: <LoadingPart draft={draft} error={error} errors={remote} onChange={change} />,
    Review: <Review draft={draft} />,
  };
  return (
    <Stack>
      <Stepper active={step} onStepClick={(to) => (setTried(false), setStep(to))} size="sm" aria-label="Steps">
        {STEPS.map((name, at) => <Stepper.Step key={name} label={name} allowStepSelect={at <= reachable} color={refused === name ? "red" : undefined} />)}
      </Stepper>
      <Panel title={here}>{parts[here]}</Panel>
      {tried && wrong[here] && <Alert color="red" variant="light" role="alert" styles={{ message: { color: "var(--mantine-color-text)" } }}>{wrong[here]}</Alert>}
      <ErrorAlert error={error} />
      <Group>
        {step > 0 && <Button variant="default" onClick={() => (setTried(false), setStep(step - 1))}>Back</Button>}
        {here !== "Review" ? <Button onClick={next}>Next</Button> : <Button loading={saving} disabled={firstWrong >= 0} onClick={() => onSave(body())}>Save pipeline</Button>}
        {here === "Review" && refused && <Button variant="default" onClick={() => setStep(STEPS.indexOf(refused))}>Go to {refused}</Button>}
      </Group>
    </Stack>
  );
}
