import { Badge, Button, Group, Tabs, Text } from "@mantine/core";
import { IconPlayerStop, IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useParams } from "react-router";

import { $api } from "@/api/client";
import { changed, pipelines, run } from "@/api/queries";
import type { RunDetail } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { nodePath } from "@/components/paths";
import { Permitted } from "@/components/Permitted";
import { StateBadge } from "@/components/StateBadge";
import { Duration, TimeAgo } from "@/components/Time";
import { useParam } from "@/components/useParam";
import { DbtResults } from "./DbtResults";
import { RunTables } from "./RunTables";
import { TaskLog } from "./TaskLog";
import { TaskTable } from "./TaskTable";
import { useRunEvents } from "./useRunEvents";
import { ApiError } from "@/api/errors";

export function RunPage() {
  const { dagId = "", runId = "" } = useParams();
  const query = useQuery(run(dagId, runId));
  // A retried run begins anew: so does the stream that follows it.
  const [round, setRound] = useState(0);
  return <Loaded query={query}>{(detail) => <Opened key={`${detail.run_id} ${round}`} run={detail} onAgain={() => setRound(round + 1)} />}</Loaded>;
}

/** The stored error of a task has the service's one shape. */
function stored(error: Record<string, unknown>): ApiError {
  return new ApiError(0, String(error.error), String(error.message), error.hint as string | null, (error.problems ?? []) as never);
}

/** Where the pages of pipelines are, by their slugs. */
function usePipelinePaths(): (slug: string) => string | undefined {
  const { data } = useQuery(pipelines());
  return (slug) => {
    const found = data?.items.find((pipeline) => pipeline.slug === slug);
    return found && nodePath({ id: found.id, kind: "pipeline" });
  };
}

function Opened({ run: detail, onAgain }: { run: RunDetail; onAgain: () => void }) {
  const [tab, setTab] = useParam("tab", "tasks");
  const [task, setTask] = useParam("task");
  const pathOf = usePipelinePaths();
  const live = useRunEvents(detail.dag_id, detail.run_id);
  const path = { params: { path: { dag_id: detail.dag_id, run_id: detail.run_id } } };
  const retry = $api.useMutation("post", "/api/v1/runs/{dag_id}/{run_id}/retry", { onSuccess: () => changed.runs().then(onAgain) });
  const cancel = $api.useMutation("post", "/api/v1/runs/{dag_id}/{run_id}/cancel", { onSuccess: () => void changed.runs() });
  const state = live.ended || !live.state ? detail.state : live.state;
  const going = state === "running" || state === "queued";
  const checks = detail.results.flatMap((result) => result.dbt);
  const warnings = checks.filter(({ status }) => status === "warn").length;
  return (
    <Page title={`Run of ${detail.dag_id}`} crumbs={[{ label: "Runs", to: "/runs" }]}
      description={
        <Group gap="xs">
          <span role="status" aria-live="polite" data-testid="run-state"><StateBadge state={state} /></span>
          <TimeAgo value={detail.start_date ?? detail.run_after} />
          <Duration start={detail.start_date} end={detail.end_date} />
          <Text span size="sm" c="dimmed" className="break">{detail.run_type}, {detail.run_id}</Text>
        </Group>
      }
      actions={
        <Permitted to="runs:execute">
          {state === "failed" && <Button leftSection={<IconRefresh size={16} aria-hidden />} loading={retry.isPending} onClick={() => retry.mutate(path)}>Retry failed tasks</Button>}
          {going && <Button variant="default" leftSection={<IconPlayerStop size={16} aria-hidden />} loading={cancel.isPending} onClick={() => cancel.mutate(path)}>Cancel</Button>}
        </Permitted>
      }>
      <ErrorAlert error={retry.error ?? cancel.error ?? live.error} />
      {detail.error && <ErrorAlert error={stored(detail.error)} />}
      <Panel p={0}>
        <Tabs value={tab} onChange={setTab} keepMounted={false}>
          <Tabs.List px="md" pt={4}>
            <Tabs.Tab value="tasks">Tasks</Tabs.Tab>
            <Tabs.Tab value="tables">Rows per table</Tabs.Tab>
            <Tabs.Tab value="dbt" rightSection={warnings ? <Badge size="sm" className="state state-yellow" variant="light">{warnings}</Badge> : null}>
              Transformations and tests
            </Tabs.Tab>
            <Tabs.Tab value="logs">Logs</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="tasks">
            <TaskTable tasks={detail.tasks} live={live.tasks} onLog={(id) => openLog(id)} />
          </Tabs.Panel>
          <Tabs.Panel value="tables"><RunTables results={detail.results} live={live.rows} going={going} pathOf={pathOf} /></Tabs.Panel>
          <Tabs.Panel value="dbt"><DbtResults runId={detail.run_id} results={detail.results} /></Tabs.Panel>
          <Tabs.Panel value="logs">
            <TaskLog run={detail} task={task} going={going} onTask={setTask} />
          </Tabs.Panel>
        </Tabs>
      </Panel>
    </Page>
  );

  function openLog(id: string) {
    setTask(id);
    setTab("logs");
  }
}
