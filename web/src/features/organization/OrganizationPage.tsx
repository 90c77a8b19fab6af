import { Button, Group, Stack, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed, organization } from "@/api/queries";
import type { Organization } from "@/api/types";
import { useMay } from "@/api/useMe";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { EditableBy } from "@/components/Permitted";
import { DangerZone } from "./DangerZone";

export function OrganizationPage() {
  const query = useQuery(organization());
  return (
    <Page title="Organization" description="What the organization is called, and what becomes of it.">
      <Loaded query={query}>
        {(found) => (
          <>
            <Panel title="Profile"><EditableBy permission="organization:write"><Profile key={found.id} organization={found} /></EditableBy></Panel>
            <DangerZone organization={found} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Profile({ organization: found }: { organization: Organization }) {
  const may = useMay();
  const form = useForm({ initialValues: { name: found.name, description: found.description } });
  const save = $api.useMutation("patch", "/api/v1/organization", {
    onSuccess: async (now) => {
      form.resetDirty({ name: now.name, description: now.description });
      await changed.organization();
      notifications.show({ message: "Saved." });
    },
    onError: (error) => form.setErrors(fieldErrors(error)),
  });
  return (
    <form onSubmit={form.onSubmit((body) => save.mutate({ body }))}>
      <Stack maw={560}>
        <TextInput label="Name" required maxLength={120} {...form.getInputProps("name")} />
        <TextInput label="Short name" readOnly value={found.slug} classNames={{ input: "mono" }} description="Part of every schema and run id, so it stays as it is." />
        <Textarea label="Description" autosize minRows={2} maxLength={5000} {...form.getInputProps("description")} />
        <ErrorAlert error={save.error} />
        {may("organization:write") && <Group><Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>Save changes</Button></Group>}
      </Stack>
    </form>
  );
}
