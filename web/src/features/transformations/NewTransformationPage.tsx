import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";

import { $api } from "@/api/client";
import { changed, workflows } from "@/api/queries";
import { Page } from "@/components/Page";
import { Loaded } from "@/components/Loaded";
import { useParam } from "@/components/useParam";
import { body, newDraft } from "./draft";
import { Editor } from "./Editor";

export function NewTransformationPage() {
  const flows = useQuery(workflows());
  const [workflow] = useParam("workflow");
  return (
    <Page title="New transformation" description="A query on what was loaded, kept by dbt as a view or a table." crumbs={[{ label: "Transformations", to: "/transformations" }]}>
      <Loaded query={flows}>{({ items }) => <New workflowId={Number(workflow) || (items[0]?.id ?? 0)} />}</Loaded>
    </Page>
  );
}

function New({ workflowId }: { workflowId: number }) {
  const navigate = useNavigate();
  const [draft, setDraft] = useState(newDraft(workflowId));
  const save = $api.useMutation("post", "/api/v1/transformations", {
    onSuccess: async (made) => {
      await changed.nodes();
      notifications.show({ message: `Transformation "${made.name}" is saved. Publish its workflow to run it.` });
      void navigate(`/transformations/${made.id}`);
    },
  });
  return <Editor draft={draft} onChange={setDraft} save={save} onSave={() => save.mutate({ body: body(draft) })} />;
}
