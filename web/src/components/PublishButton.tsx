import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconRocket } from "@tabler/icons-react";

import { $api } from "@/api/client";
import { changed } from "@/api/queries";
import { Permitted } from "./Permitted";

/** Publishes a workflow; the page shows the error, which carries all problems. */
export function usePublish(workflowId: number) {
  const publish = $api.useMutation("post", "/api/v1/workflows/{id}/publish", {
    onSuccess: async ({ changed: isNew, revision }) => {
      await changed.nodes();
      notifications.show({ message: isNew ? `Revision ${revision.number} is published.` : `Nothing has changed since revision ${revision.number}.` });
    },
  });
  return { ...publish, go: () => publish.mutate({ params: { path: { id: workflowId } } }) };
}

export function PublishButton({ publish, variant = "filled" }: { publish: ReturnType<typeof usePublish>; variant?: string }) {
  return (
    <Permitted to="workflows:publish">
      <Button variant={variant} leftSection={<IconRocket size={16} aria-hidden />} loading={publish.isPending} onClick={publish.go}>Publish</Button>
    </Permitted>
  );
}
