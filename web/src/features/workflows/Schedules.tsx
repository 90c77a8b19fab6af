import { Button, Group, List, Select, Stack, Switch, Table, Text, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";

import { $api, client } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed, schedules } from "@/api/queries";
import type { Graph, Schedule } from "@/api/types";
import { useMay } from "@/api/useMe";
import { DeleteButton } from "@/components/DeleteButton";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Permitted } from "@/components/Permitted";
import { TimeAgo } from "@/components/Time";
import { absolute } from "@/components/time";

const MISSED = [
  { value: "skip", label: "skip them" },
  { value: "run_once", label: "run once for all of them" },
  { value: "queue", label: "run every one" },
];
const PRESETS = [
  ["Every 15 minutes", "*/15 * * * *"],
  ["Every hour", "0 * * * *"],
  ["Every day at 6:00", "0 6 * * *"],
  ["Mondays at 9:00", "0 9 * * 1"],
] as const;
const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];

/** When the workflow runs by itself. */
export function Schedules({ graph }: { graph: Graph }) {
  const query = useQuery(schedules(graph.workflow.id));
  return (
    <Stack p="md">
      <Loaded query={query}>
        {({ items }) =>
          items.length ? (
            <Table.ScrollContainer minWidth={640} type="native">
              <Table aria-label="Schedules">
                <Table.Thead><Table.Tr><Table.Th>When</Table.Th><Table.Th>What</Table.Th><Table.Th>Next run</Table.Th><Table.Th>On</Table.Th><Table.Th>Delete</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>{items.map((item) => <Row key={item.id} schedule={item} graph={graph} />)}</Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          ) : (
            <Text size="sm" c="dimmed">It runs only when somebody asks. Give it a schedule here, then publish.</Text>
          )
        }
      </Loaded>
      <Permitted to="schedules:write"><NewSchedule graph={graph} /></Permitted>
    </Stack>
  );
}

function Row({ schedule, graph }: { schedule: Schedule; graph: Graph }) {
  const params = { path: { id: schedule.id } };
  const after = { onSuccess: () => void changed.schedules() };
  const change = $api.useMutation("patch", "/api/v1/schedules/{id}", after);
  const remove = $api.useMutation("delete", "/api/v1/schedules/{id}", after);
  const node = graph.nodes.find(({ id }) => id === schedule.node_id);
  const may = useMay()("schedules:write");
  return (
    <Table.Tr>
      <Table.Td><Text size="sm" fw={600}>{schedule.description}</Text><Text size="xs" c="dimmed" className="mono">{schedule.cron} {schedule.timezone}</Text><ErrorAlert error={change.error} /></Table.Td>
      <Table.Td>{node ? `only ${node.name}` : "the whole workflow"}</Table.Td>
      <Table.Td>{schedule.enabled ? <TimeAgo value={schedule.next_runs[0]} /> : <Text size="sm" c="dimmed">off</Text>}</Table.Td>
      <Table.Td><Switch aria-label={`Schedule ${schedule.slug} is on`} checked={schedule.enabled} disabled={!may} onChange={(event) => change.mutate({ params, body: { enabled: event.currentTarget.checked } })} /></Table.Td>
      <Table.Td><DeleteButton permission="schedules:delete" size="compact-xs" what={`schedule "${schedule.slug}"`} consequence="It counts from the next publish on." pending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate({ params })} /></Table.Td>
    </Table.Tr>
  );
}

function NewSchedule({ graph }: { graph: Graph }) {
  const form = useForm({ initialValues: { cron: "0 6 * * *", timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, missed_runs: "run_once", node: "" } });
  const { cron, timezone, node } = form.values;
  const [asked] = useDebouncedValue(`${cron}\n${timezone}`, 300);
  const preview = useQuery({
    queryKey: ["schedule preview", asked],
    retry: false,
    queryFn: async ({ signal }) => {
      const [cron = "", timezone = "UTC"] = asked.split("\n");
      const { data } = await client.POST("/api/v1/schedules/preview", { signal, body: { cron, timezone } });
      return data!;
    },
  });
  const add = $api.useMutation("post", "/api/v1/schedules", { onSuccess: () => void changed.schedules() });
  const errors = fieldErrors(preview.error ?? add.error);
  return (
    <form onSubmit={form.onSubmit(({ missed_runs }) => add.mutate({ body: { workflow_id: graph.workflow.id, node_id: Number(node) || null, cron, timezone, missed_runs: missed_runs as "skip" } }))}>
      <Stack gap="sm">
        <Title order={2} size="h4">New schedule</Title>
        <Group gap="xs">{PRESETS.map(([label, value]) => <Button key={value} size="compact-sm" variant="default" onClick={() => form.setFieldValue("cron", value)}>{label}</Button>)}</Group>
        <Group align="flex-start">
          <TextInput label="Cron" classNames={{ input: "mono" }} w={170} {...form.getInputProps("cron")} error={errors.cron} />
          <Select label="Time zone" searchable allowDeselect={false} data={ZONES} limit={60} {...form.getInputProps("timezone")} error={errors.timezone} />
          <Select label="What runs" clearable placeholder="the whole workflow" clearButtonProps={{ "aria-label": "The whole workflow" }} data={graph.nodes.map((item) => ({ value: String(item.id), label: `only ${item.name}` }))}
            value={node || null} onChange={(value) => form.setFieldValue("node", value ?? "")} />
          <Select label="Runs that were missed" allowDeselect={false} data={MISSED} {...form.getInputProps("missed_runs")} />
        </Group>
        {preview.data && (
          <div aria-live="polite" data-testid="cron-text">
            <Text size="sm" fw={600}>{preview.data.description}</Text>
            <List size="sm">{preview.data.next_runs.slice(0, 3).map((time) => <List.Item key={time}>{absolute(new Date(time), timezone)}</List.Item>)}</List>
          </div>
        )}
        <ErrorAlert error={add.error} />
        <Button type="submit" w="fit-content" variant="default" loading={add.isPending} disabled={Boolean(preview.error)}>Add schedule</Button>
      </Stack>
    </form>
  );
}
