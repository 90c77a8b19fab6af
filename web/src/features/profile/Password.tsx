import { Button, Group, PasswordInput, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed } from "@/api/queries";
import { useMe } from "@/api/useMe";
import { ErrorAlert } from "@/components/ErrorAlert";
import { NewPasswordInput } from "@/components/NewPasswordInput";
import { Panel } from "@/components/Page";

/** Changes the password, or gives one to somebody who signs in elsewhere only. */
export function Password() {
  const { user } = useMe();
  const form = useForm({ initialValues: { current: "", password: "" } });
  const save = $api.useMutation("post", "/api/v1/me/password", {
    onSuccess: async () => {
      form.reset();
      await changed.me();
      notifications.show({ message: "The password is set. Every other session of yours has ended." });
    },
    onError: (error) => {
      const errors = fieldErrors(error);
      form.setErrors({ ...errors, password: errors.new });
    },
  });
  return (
    <Panel title="Password">
      <form onSubmit={form.onSubmit(({ current, password }) => save.mutate({ body: { new: password, ...(user.has_password && { current }) } }))}>
        <Stack maw={560}>
          <Text size="sm" c="dimmed">
            {user.has_password ? "A new password ends every other session of yours." : "You sign in elsewhere only. A password is a second way in."}
          </Text>
          {user.has_password && <PasswordInput label="Current password" autoComplete="current-password" required {...form.getInputProps("current")} />}
          <NewPasswordInput label="New password" {...form.getInputProps("password")} />
          <ErrorAlert error={save.error} />
          <Group><Button type="submit" variant="default" loading={save.isPending}>{user.has_password ? "Change the password" : "Set a password"}</Button></Group>
        </Stack>
      </form>
    </Panel>
  );
}
