import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { $api } from "@/api/client";
import { changed, transformation } from "@/api/queries";
import type { Transformation } from "@/api/types";
import { DeleteButton } from "@/components/DeleteButton";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Page } from "@/components/Page";
import { PublishButton, usePublish } from "@/components/PublishButton";
import { body, draftOf } from "./draft";
import { Editor } from "./Editor";

export function TransformationPage() {
  const { id = "" } = useParams();
  const query = useQuery({ ...transformation(id), refetchOnWindowFocus: false });
  return <Loaded query={query}>{(found) => <Opened key={`${found.id} ${found.version}`} transformation={found} />}</Loaded>;
}

function Opened({ transformation: found }: { transformation: Transformation }) {
  const navigate = useNavigate();
  const [draft, setDraft] = useState(draftOf(found));
  const publish = usePublish(found.workflow_id);
  const path = { id: found.id };
  const save = $api.useMutation("patch", "/api/v1/transformations/{id}", {
    onSuccess: async () => {
      await changed.nodes();
      notifications.show({ message: "Saved. Publish the workflow to run the change." });
    },
  });
  const remove = $api.useMutation("delete", "/api/v1/transformations/{id}", {
    onSuccess: async () => {
      await navigate("/transformations");
      await changed.nodes();
    },
  });
  function store() {
    const { name, dataset, config } = body(draft);
    save.mutate({ params: { path, header: { "If-Match": String(found.version) } }, body: { name, dataset, config } });
  }
  return (
    <Page title={found.name} crumbs={[{ label: "Transformations", to: "/transformations" }]} description={<span className="mono">ref('{found.slug}') → {found.dataset}</span>}
      actions={
        <>
          <Button component={Link} variant="default" to={`/workflows/${found.workflow_id}?node=${found.slug}`}>See it in the workflow</Button>
          <DeleteButton permission="transformations:delete" what={`transformation "${found.name}"`} pending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate({ params: { path } })} />
          <PublishButton publish={publish} variant="default" />
        </>
      }>
      {publish.error && <ErrorAlert error={publish.error} title="Not published" />}
      <Editor draft={draft} onChange={setDraft} save={save} onSave={store} />
    </Page>
  );
}
