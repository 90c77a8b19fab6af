import { Anchor, Button, List, SimpleGrid, Text, ThemeIcon } from "@mantine/core";
import { IconPlayerPlay, IconPlugConnected } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { connections, pipelines, runs, schedules, transformations, workflows } from "@/api/queries";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";
import { RunTable } from "@/components/RunTable";
import { TimeAgo } from "@/components/Time";

const REFRESH_MS = 5_000;

interface Counted {
  items: unknown[];
  next_cursor: string | null;
}

function Count({ label, to, list, without = 0 }: { label: string; to: string; list: Counted | undefined; without?: number }) {
  const count = list ? list.items.length - without : 0;
  const number = list ? `${count}${list.next_cursor ? "+" : ""}` : "…";
  return (
    <Link to={to} className="surface card-link">
      <div style={{ padding: "12px 16px" }}>
        <Text fz={26} fw={650} lh={1.2}>{number}</Text>
        <Text size="sm" c="dimmed">{count === 1 ? label : `${label}s`}</Text>
      </div>
    </Link>
  );
}

export function HomePage() {
  const sources = useQuery(connections());
  const loads = useQuery(pipelines());
  const models = useQuery(transformations());
  const flows = useQuery(workflows());
  const managed = sources.data?.items.filter((item) => item.managed).length ?? 0;
  return (
    <Page title="Home" description="What ran, what runs next, and what there is.">
      {loads.data?.items.length === 0 && <Permitted to="pipelines:write"><FirstSteps connected={(sources.data?.items.length ?? 0) > managed} /></Permitted>}
      <SimpleGrid cols={{ base: 2, md: 4 }}>
        <Count label="connection" to="/connections" list={sources.data} without={managed} />
        <Count label="pipeline" to="/pipelines" list={loads.data} />
        <Count label="transformation" to="/transformations" list={models.data} />
        <Count label="workflow" to="/workflows" list={flows.data} />
      </SimpleGrid>
      <div className="home-columns">
        <LastRuns />
        <NextRuns names={Object.fromEntries((flows.data?.items ?? []).map(({ id, name }) => [id, name]))} />
      </div>
    </Page>
  );
}

function FirstSteps({ connected }: { connected: boolean }) {
  return (
    <Panel title="Your first pipeline">
      <List spacing="xs" size="sm" mb="md" type="ordered">
        <List.Item>Connect a database, or bring a CSV file of your own.{connected && <b> Done.</b>}</List.Item>
        <List.Item>Choose which tables to load, and how.</List.Item>
        <List.Item>Publish and run: the rows appear under Tables.</List.Item>
      </List>
      <Button component={Link} to={connected ? "/pipelines/new" : "/connections/new"} leftSection={<ThemeIcon size={18} color="transparent"><IconPlugConnected size={16} aria-hidden /></ThemeIcon>}>
        {connected ? "Make the pipeline" : "Connect your first source"}
      </Button>
    </Panel>
  );
}

function LastRuns() {
  const query = useQuery({ ...runs({ limit: 8 }), refetchInterval: REFRESH_MS });
  return (
    <Panel title="Last runs" p={0} actions={<Anchor component={Link} to="/runs" size="sm">All runs</Anchor>}>
      <Loaded query={query}>
        {({ items }) =>
          items.length ? <RunTable runs={items} /> : <EmptyState icon={<IconPlayerPlay aria-hidden />} title="Nothing has run yet" text="Publish a workflow, then run it or give it a schedule." />
        }
      </Loaded>
    </Panel>
  );
}

function NextRuns({ names }: { names: Record<number, string> }) {
  const query = useQuery(schedules());
  return (
    <Panel title="Next scheduled runs">
      <Loaded query={query}>
        {({ items }) => {
          const next = items
            .filter(({ enabled, next_runs }) => enabled && next_runs.length)
            .sort((a, b) => new Date(a.next_runs[0]!).getTime() - new Date(b.next_runs[0]!).getTime());
          if (!next.length) return <Text size="sm" c="dimmed">No schedule is on. Open a workflow and give it one.</Text>;
          return next.slice(0, 6).map((item) => (
            <div key={item.id} style={{ marginBottom: 10 }}>
              <Anchor component={Link} to={`/workflows/${item.workflow_id}?tab=schedules`} size="sm" fw={600}>{names[item.workflow_id] ?? item.slug}</Anchor>
              <Text size="sm">{item.description}</Text>
              <TimeAgo value={item.next_runs[0]} />
            </div>
          ));
        }}
      </Loaded>
    </Panel>
  );
}
