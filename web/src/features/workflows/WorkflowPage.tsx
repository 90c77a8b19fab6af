import { Anchor, Button, Group, Tabs, Text } from "@mantine/core";
import { IconBinaryTree2, IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { $api } from "@/api/client";
import { changed, graph } from "@/api/queries";
import type { Graph } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { ErrorAlert, Problems } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { nodePath, runPath } from "@/components/paths";
import { Permitted } from "@/components/Permitted";
import { PublishButton, usePublish } from "@/components/PublishButton";
import { StateBadge } from "@/components/StateBadge";
import { TimeAgo } from "@/components/Time";
import { useParam } from "@/components/useParam";
import { Backfills } from "./Backfills";
import { EdgeTable } from "./EdgeTable";
import { FlowGraph } from "./FlowGraph";
import { Revisions } from "./Revisions";
import { Schedules } from "./Schedules";
import { useNodeStates } from "./useNodeStates";

export function WorkflowPage() {
  const { id = "" } = useParams();
  const query = useQuery(graph(id));
  return <Loaded query={query}>{(found) => <Opened key={found.workflow.id} graph={found} />}</Loaded>;
}

function Opened({ graph: found }: { graph: Graph }) {
  const { workflow } = found;
  const navigate = useNavigate();
  const [tab, setTab] = useParam("tab", "graph");
  const [selected, select] = useParam("node");
  const publish = usePublish(workflow.id);
  const { latest, states, error } = useNodeStates(workflow.id);
  const node = found.nodes.find(({ slug }) => slug === selected);
  const runNow = $api.useMutation("post", "/api/v1/workflows/{id}/runs", {
    onSuccess: async (made) => {
      await changed.runs();
      void navigate(runPath(made));
    },
  });
  const start = (select: string[]) => runNow.mutate({ params: { path: { id: workflow.id } }, body: { select } });
  // The graph is drawn anew only when a state changes, not whenever the run is read.
  const key = JSON.stringify(states);
  const steady = useMemo(() => JSON.parse(key) as typeof states, [key]);

  return (
    <Page title={workflow.name} crumbs={[{ label: "Workflows", to: "/workflows" }]}
      description={
        <Group gap="xs">
          <span>{workflow.published_revision ? `Revision ${workflow.published_revision} is published.` : "Not published yet."}</span>
          {latest && (
            <>
              <span>Last run:</span> <Anchor component={Link} to={runPath(latest)} size="sm" aria-label={`Last run: ${latest.state}`}><StateBadge state={latest.state} /></Anchor>
              <TimeAgo value={latest.start_date ?? latest.run_after} compact />
            </>
          )}
        </Group>
      }
      actions={
        <>
          <Permitted to="runs:execute">
            <Button variant="default" leftSection={<IconPlayerPlay size={16} aria-hidden />} loading={runNow.isPending} disabled={!workflow.published_revision} onClick={() => start([])}>Run now</Button>
          </Permitted>
          <PublishButton publish={publish} />
        </>
      }>
      {publish.error && <ErrorAlert error={publish.error} title="Not published" />}
      <ErrorAlert error={runNow.error ?? error} />
      {found.problems.length > 0 && <Panel title="Problems"><Problems problems={found.problems} /></Panel>}
      <Panel p={0}>
        <Tabs value={tab} onChange={setTab} keepMounted={false}>
          <Tabs.List px="md" pt={4}>
            <Tabs.Tab value="graph">Graph</Tabs.Tab>
            <Tabs.Tab value="edges">Edges</Tabs.Tab>
            <Tabs.Tab value="schedules">Schedules</Tabs.Tab>
            <Tabs.Tab value="backfill">Backfill</Tabs.Tab>
            <Tabs.Tab value="revisions">Revisions</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="graph">
            {found.nodes.length ? <FlowGraph graph={found} states={steady} selected={selected} onSelect={select} /> : <NoNodes />}
            {node && (
              <Group p="md" gap="sm" data-testid="selected-node">
                <Text fw={600}>{node.name}</Text>
                <Text size="sm" c="dimmed" className="mono">{node.slug} → {node.dataset}</Text>
                <Button component={Link} size="xs" variant="default" to={nodePath(node)}>Open</Button>
                <Permitted to="runs:execute">
                  <Button size="xs" variant="default" disabled={!workflow.published_revision} loading={runNow.isPending} onClick={() => start([node.slug])}>Run only this</Button>
                </Permitted>
              </Group>
            )}
          </Tabs.Panel>
          <Tabs.Panel value="edges"><EdgeTable graph={found} /></Tabs.Panel>
          <Tabs.Panel value="schedules"><Schedules graph={found} /></Tabs.Panel>
          <Tabs.Panel value="backfill"><Backfills workflow={workflow} /></Tabs.Panel>
          <Tabs.Panel value="revisions"><Revisions workflow={workflow} /></Tabs.Panel>
        </Tabs>
      </Panel>
    </Page>
  );
}

function NoNodes() {
  return (
    <EmptyState icon={<IconBinaryTree2 aria-hidden />} title="The workflow is empty" text="Pipelines and transformations that you save into it show up here, joined by what they read."
      action={<Permitted to="pipelines:write"><Button component={Link} to="/pipelines/new">Make a pipeline</Button></Permitted>} />
  );
}
