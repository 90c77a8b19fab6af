import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed, providers } from "@/api/queries";
import { useMe } from "@/api/useMe";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Panel } from "@/components/Page";
import { StateBadge } from "@/components/StateBadge";

/** Name and e-mail address. */
export function Account() {
  const { user } = useMe();
  const form = useForm({ initialValues: { name: user.name } });
  const save = $api.useMutation("patch", "/api/v1/me", {
    onSuccess: async (_, { body }) => {
      form.resetDirty({ name: body.name });
      await changed.members();
      notifications.show({ message: "Saved." });
    },
    onError: (error) => form.setErrors(fieldErrors(error)),
  });
  return (
    <Panel title="Account">
      <Stack maw={560}>
        <form onSubmit={form.onSubmit((body) => save.mutate({ body }))}>
          <Stack>
            <TextInput label="Name" required autoComplete="name" maxLength={120} {...form.getInputProps("name")} />
            <ErrorAlert error={save.error} />
            <Group><Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>Save changes</Button></Group>
          </Stack>
        </form>
        <Group gap="xs" mt="xs">
          <Text size="sm" className="break"><Text span c="dimmed" size="sm">E-mail: </Text>{user.email}</Text>
          <StateBadge state={user.email_verified ? "verified" : "unverified"} />
          {!user.email_verified && <Verify />}
        </Group>
      </Stack>
    </Panel>
  );
}

function Verify() {
  const { data } = useQuery(providers());
  const send = $api.useMutation("post", "/api/v1/me/email/verification");
  if (data && !data.mail) return <Text size="sm" c="dimmed">This installation sends no e-mail.</Text>;
  if (send.isSuccess) return <Text size="sm" role="status">A link is on its way to you.</Text>;
  return (
    <>
      <Button size="compact-sm" variant="default" loading={send.isPending} onClick={() => send.mutate({})}>Send the link again</Button>
      <ErrorAlert error={send.error} />
    </>
  );
}
