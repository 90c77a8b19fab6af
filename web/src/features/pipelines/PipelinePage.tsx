import { Button, Tabs } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "react-router";

import { $api } from "@/api/client";
import { changed, pipeline } from "@/api/queries";
import type { Pipeline } from "@/api/types";
import { ChangeTable } from "@/components/changes/ChangeTable";
import { DeleteButton } from "@/components/DeleteButton";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { EditableBy } from "@/components/Permitted";
import { PublishButton, usePublish } from "@/components/PublishButton";
import { useParam } from "@/components/useParam";
import { LoadedTables } from "./LoadedTables";
import { type Loading, useLoadingOf } from "./loading";
import { PipelineForm } from "./PipelineForm";
import { PipelineState } from "./PipelineState";
import { RejectedRows } from "./RejectedRows";

export function PipelinePage() {
  const { id = "" } = useParams();
  const query = useQuery(pipeline(id));
  return <Loaded query={query}>{(found) => <Opened key={found.version} pipeline={found} />}</Loaded>;
}

function Opened({ pipeline: found }: { pipeline: Pipeline }) {
  const navigate = useNavigate();
  const path = { id: found.id };
  const [tab, setTab] = useParam("tab", "settings");
  const loading = useLoadingOf(String(found.destination_connection_id ?? ""));
  const can = (ability: Loading["abilities"][number]) => loading?.abilities.includes(ability) ?? true;
  const publish = usePublish(found.workflow_id);
  const save = $api.useMutation("patch", "/api/v1/pipelines/{id}", {
    onSuccess: async () => {
      await changed.nodes();
      notifications.show({ message: "Saved. Publish the workflow to run the change." });
    },
  });
  const remove = $api.useMutation("delete", "/api/v1/pipelines/{id}", {
    onSuccess: async () => {
      await navigate("/pipelines");
      await changed.nodes();
    },
  });
  return (
    <Page title={found.name} crumbs={[{ label: "Pipelines", to: "/pipelines" }]} description={<span className="mono">{found.slug} → {found.dataset}</span>}
      actions={
        <>
          <Button component={Link} variant="default" to={`/workflows/${found.workflow_id}?node=${found.slug}`}>See it in the workflow</Button>
          <PublishButton publish={publish} variant="default" />
          <DeleteButton permission="pipelines:delete" what={`pipeline "${found.name}"`} pending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate({ params: { path } })} />
        </>
      }>
      {publish.error && <ErrorAlert error={publish.error} title="Not published" />}
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
          <Tabs.Tab value="tables">Tables</Tabs.Tab>
          {can("state") && <Tabs.Tab value="state">State</Tabs.Tab>}
          <Tabs.Tab value="changes">Schema changes</Tabs.Tab>
          {can("quarantine") && <Tabs.Tab value="rejected">Rejected rows</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="settings">
          <EditableBy permission="pipelines:write">
            <PipelineForm pipeline={found} saving={save.isPending} error={save.error}
              onSave={({ name, dataset, destination_connection_id, config }) => save.mutate({ params: { path, header: { "If-Match": String(found.version) } }, body: { name, dataset, destination_connection_id, config } })} />
          </EditableBy>
        </Tabs.Panel>
        <Tabs.Panel value="tables"><LoadedTables id={found.id} /></Tabs.Panel>
        <Tabs.Panel value="state"><Panel p={0}><PipelineState id={found.id} /></Panel></Tabs.Panel>
        <Tabs.Panel value="changes"><Panel p={0}><ChangeTable pipeline={found.id} /></Panel></Tabs.Panel>
        <Tabs.Panel value="rejected"><RejectedRows pipeline={found} /></Tabs.Panel>
      </Tabs>
    </Page>
  );
}
