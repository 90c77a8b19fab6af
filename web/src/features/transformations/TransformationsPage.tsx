import { Button } from "@mantine/core";
import { IconPlus, IconSql } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { transformations, workflows } from "@/api/queries";
import type { TransformationConfig } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { NodeTable } from "@/components/NodeTable";
import { Page, Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";

export function TransformationsPage() {
  const query = useQuery(transformations());
  const flows = useQuery(workflows());
  const add = <Permitted to="transformations:write"><Button component={Link} to="/transformations/new" leftSection={<IconPlus size={16} aria-hidden />}>New transformation</Button></Permitted>;
  return (
    <Page title="Transformations" description="Models and snapshots that dbt makes out of what was loaded." actions={add}>
      <Panel p={0}>
        <Loaded query={query}>
          {({ items }) =>
            items.length ? (
              <NodeTable nodes={items} label="transformations" detail="Kept as" workflowName={(id) => flows.data?.items.find((flow) => flow.id === id)?.name ?? ""}
                shown={(node) => (node.kind === "dbt_snapshot" ? "snapshot" : ((node.config as unknown as TransformationConfig).materialization ?? "view"))} />
            ) : (
              <EmptyState icon={<IconSql aria-hidden />} title="No transformation yet" text="Write a query on the tables that a pipeline loads; dbt keeps its result as a view or a table and tests it." action={add} />
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}
