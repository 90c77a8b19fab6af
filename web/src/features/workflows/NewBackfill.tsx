import { Button, Group, List, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed } from "@/api/queries";
import type { BackfillPlan, BackfillRequest, Workflow } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";
import { absolute } from "@/components/time";

const REPROCESS = [
  { value: "none", label: "only windows that never ran" },
  { value: "failed", label: "also those that failed" },
  { value: "completed", label: "all of them again" },
];
const ON_FAILURE = [
  { value: "stop", label: "begin no more windows" },
  { value: "continue", label: "go on with the next window" },
];
const SHOWN = 5;

/** Asks for a period, shows what would run, and starts exactly that. */
export function NewBackfill({ workflow, onStarted }: { workflow: Workflow; onStarted: (id: number) => void }) {
  const plan = $api.useMutation("post", "/api/v1/workflows/{id}/backfills/plan");
  const start = $api.useMutation("post", "/api/v1/workflows/{id}/backfills", { onSuccess: changed.backfills });
  const form = useForm<BackfillRequest>({
    initialValues: { from_date: "", to_date: "", reprocess: "completed", on_failure: "stop" },
    onValuesChange: () => plan.reset(), // it was another question
  });
  const params = { path: { id: workflow.id } };
  const errors = fieldErrors(plan.error);
  return (
    <form onSubmit={form.onSubmit((body) => plan.mutate({ params, body }))}>
      <Stack gap="sm">
        <Title order={2} size="h4">New backfill</Title>
        <Group align="flex-start">
          <TextInput type="date" label="From" description="in UTC" required {...form.getInputProps("from_date")} error={errors.from_date} />
          <TextInput type="date" label="To" description="in UTC, its midnight included" required {...form.getInputProps("to_date")} error={errors.to_date} />
          <Select label="Which windows" description="of those in the period" allowDeselect={false} data={REPROCESS} {...form.getInputProps("reprocess")} />
          <Select label="When one fails" description="its rows stay as they were" allowDeselect={false} data={ON_FAILURE} {...form.getInputProps("on_failure")} />
        </Group>
        <Button type="submit" w="fit-content" variant="default" loading={plan.isPending}>Show the plan</Button>
        <ErrorAlert error={plan.error ?? start.error} />
        {plan.data && <Planned plan={plan.data} />}
        {plan.data && plan.data.windows.length > 0 && (
          <Button w="fit-content" loading={start.isPending} onClick={() => start.mutate({ params, body: form.values }, { onSuccess: ({ id }) => (plan.reset(), onStarted(id)) })}>
            Start {plan.data.windows.length === 1 ? "1 run" : `${plan.data.windows.length} runs`}
          </Button>
        )}
      </Stack>
    </form>
  );
}

function Planned({ plan: { windows, parts } }: { plan: BackfillPlan }) {
  if (!windows.length) return <Text size="sm" aria-live="polite">The period holds no window that would run.</Text>;
  return (
    <Stack gap="xs" aria-live="polite" data-testid="plan">
      <Text size="sm" fw={600}>{windows.length === 1 ? "1 run" : `${windows.length} runs, one after the other`}:</Text>
      <List size="sm">
        {windows.slice(0, SHOWN).map(({ start, end }) => <List.Item key={start}>{absolute(new Date(start))} to {absolute(new Date(end))}</List.Item>)}
        {windows.length > SHOWN && <List.Item>… and {windows.length - SHOWN} more</List.Item>}
      </List>
      <Text size="sm" fw={600}>Tables in each run:</Text>
      <List size="sm">
        {parts.map(({ pipeline, resource, takes_part, reason }) => (
          <List.Item key={`${pipeline} ${resource}`}><b>{pipeline}{resource && `.${resource}`}</b> {takes_part ? "is loaded again" : "is skipped"}: {reason}</List.Item>
        ))}
      </List>
    </Stack>
  );
}
