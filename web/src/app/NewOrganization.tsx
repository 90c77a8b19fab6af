import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";

import { client } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { switchTo } from "@/api/organizations";
import { ErrorAlert } from "@/components/ErrorAlert";

/** Makes another organization and goes there. */
export function NewOrganization({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const form = useForm({ initialValues: { name: "" } });
  const add = useMutation({
    mutationFn: async (body: { name: string }) => {
      const { data } = await client.POST("/api/v1/organizations", { body });
      await switchTo(data!.slug);
    },
    onError: (error) => form.setErrors(fieldErrors(error)),
  });
  return (
    <Modal opened={opened} onClose={onClose} title="New organization" centered>
      <form onSubmit={form.onSubmit((body) => add.mutate(body))}>
        <Stack>
          <Text size="sm">It is a closed room of its own: you are its owner, and nobody else gets in unless you invite them.</Text>
          <TextInput label="Name" required data-autofocus maxLength={120} {...form.getInputProps("name")} />
          <ErrorAlert error={add.error} />
          <Group justify="flex-end"><Button type="submit" loading={add.isPending}>Create and enter</Button></Group>
        </Stack>
      </form>
    </Modal>
  );
}
