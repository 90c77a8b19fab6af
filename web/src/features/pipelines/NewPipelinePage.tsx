import { notifications } from "@mantine/notifications";
import { useNavigate } from "react-router";

import { $api } from "@/api/client";
import { changed } from "@/api/queries";
import { Page } from "@/components/Page";
import { useParam } from "@/components/useParam";
import { PipelineWizard } from "./PipelineWizard";

export function NewPipelinePage() {
  const navigate = useNavigate();
  const [source, setSource] = useParam("source");
  const save = $api.useMutation("post", "/api/v1/pipelines", {
    onSuccess: async (made) => {
      await changed.nodes();
      notifications.show({ message: `Pipeline "${made.name}" is saved. Publish its workflow to run it.` });
      void navigate(`/pipelines/${made.id}`);
    },
  });
  return (
    <Page title="New pipeline" description="Loads tables or files into a dataset of the warehouse." crumbs={[{ label: "Pipelines", to: "/pipelines" }]}>
      <PipelineWizard source={source} onSource={setSource} saving={save.isPending} error={save.error}
        onSave={(body) => save.mutate({ body: { ...body, retries: 5, description: "" } })} />
    </Page>
  );
}
