import { Button } from "@mantine/core";
import { IconPlus, IconTransfer } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { connections, pipelines, workflows } from "@/api/queries";
import type { PipelineConfig } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { NodeTable } from "@/components/NodeTable";
import { Page, Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";

export function PipelinesPage() {
  const query = useQuery(pipelines());
  const sources = useQuery(connections());
  const flows = useQuery(workflows());
  const add = <Permitted to="pipelines:write"><Button component={Link} to="/pipelines/new" leftSection={<IconPlus size={16} aria-hidden />}>New pipeline</Button></Permitted>;
  const source = (id: number) => sources.data?.items.find((item) => item.id === id)?.name ?? "";
  return (
    <Page title="Pipelines" description="Each one loads a source into a dataset." actions={add}>
      <Panel p={0}>
        <Loaded query={query}>
          {({ items }) =>
            items.length ? (
              <NodeTable nodes={items} label="pipelines" detail="Loads" workflowName={(id) => flows.data?.items.find((flow) => flow.id === id)?.name ?? ""}
                shown={(node) => {
                  const count = (node.config as PipelineConfig).resources?.length ?? 0;
                  return `${count ? `${count} ${count === 1 ? "resource" : "resources"}` : "everything"} from ${source(node.source_connection_id)}`;
                }} />
            ) : (
              <EmptyState icon={<IconTransfer aria-hidden />} title="No pipeline yet" text="A pipeline reads tables or files of a connection and loads them into the warehouse." action={add} />
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}
