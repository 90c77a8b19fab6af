import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "react-router";

import { $api } from "@/api/client";
import { changed, pipeline } from "@/api/queries";
import type { Pipeline } from "@/api/types";
import { DeleteButton } from "@/components/DeleteButton";
import { Loaded } from "@/components/Loaded";
import { Page } from "@/components/Page";
import { EditableBy } from "@/components/Permitted";
import { PipelineForm } from "./PipelineForm";

export function PipelinePage() {
  const { id = "" } = useParams();
  const query = useQuery(pipeline(id));
  return <Loaded query={query}>{(found) => <Opened key={found.version} pipeline={found} />}</Loaded>;
}

function Opened({ pipeline: found }: { pipeline: Pipeline }) {
  const navigate = useNavigate();
  const path = { id: found.id };
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
          <DeleteButton permission="pipelines:delete" what={`pipeline "${found.name}"`} pending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate({ params: { path } })} />
        </>
      }>
      <EditableBy permission="pipelines:write">
        <PipelineForm pipeline={found} saving={save.isPending} error={save.error}
          onSave={({ name, dataset, config }) => save.mutate({ params: { path, header: { "If-Match": String(found.version) } }, body: { name, dataset, config } })} />
      </EditableBy>
    </Page>
  );
}
