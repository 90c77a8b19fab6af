import { Button, Group, Select } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { runs, workflows } from "@/api/queries";
import type { RunState } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { RunTable } from "@/components/RunTable";
import { useParam } from "@/components/useParam";

const STATES: RunState[] = ["queued", "running", "success", "failed"];

export function RunsPage() {
  const [workflow, setWorkflow] = useParam("workflow");
  const [state, setState] = useParam("state");
  const [cursor, setCursor] = useParam("cursor");
  const list = useQuery(workflows());
  const query = useQuery({
    ...runs({ workflow_id: Number(workflow) || undefined, state: STATES.find((known) => known === state), cursor: cursor || undefined }),
    refetchInterval: 5_000,
  });
  return (
    <Page title="Runs" description="Every run of every workflow, newest first.">
      <Panel p={0}>
        <Group p="md" gap="sm">
          <Select aria-label="Workflow" placeholder="All workflows" clearable value={workflow || null} onChange={setWorkflow}
            clearButtonProps={{ "aria-label": "All workflows" }} data={(list.data?.items ?? []).map((item) => ({ value: String(item.id), label: item.name }))} />
          <Select aria-label="State" placeholder="All states" clearable data={STATES} value={state || null} onChange={setState}
            clearButtonProps={{ "aria-label": "All states" }} />
        </Group>
        <Loaded query={query}>
          {({ items, next_cursor }) =>
            items.length ? (
              <>
                <RunTable runs={items} />
                <Group p="md">
                  {cursor && <Button size="xs" variant="default" onClick={() => setCursor(null)}>Newest</Button>}
                  {next_cursor && <Button size="xs" variant="default" onClick={() => setCursor(next_cursor)}>Older</Button>}
                </Group>
              </>
            ) : (
              <EmptyState icon={<IconPlayerPlay aria-hidden />} title="No runs here"
                text={workflow || state ? "No run fits these filters." : "Publish a workflow and run it; what happens shows up here."}
                action={<Button component={Link} to="/workflows" variant="default">Go to the workflows</Button>} />
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}
