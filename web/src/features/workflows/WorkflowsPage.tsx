import { Anchor, Button, Group, Modal, Stack, Table, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "react-router";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed, workflows } from "@/api/queries";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";
import { TimeAgo } from "@/components/Time";

export function WorkflowsPage() {
  const query = useQuery(workflows());
  return (
    <Page title="Workflows" description="Each one is published, scheduled and run as a whole." actions={<Permitted to="workflows:write"><NewWorkflow /></Permitted>}>
      <Panel p={0}>
        <Loaded query={query}>
          {({ items }) => (
            <Table.ScrollContainer minWidth={480} type="native">
              <Table>
                <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>Published</Table.Th><Table.Th>Runs</Table.Th><Table.Th>Created</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {items.map((item) => (
                    <Table.Tr key={item.id}>
                      <Table.Td><Anchor component={Link} to={`/workflows/${item.id}`} size="sm" fw={600}>{item.name}</Anchor><Text size="xs" c="dimmed">{item.description || item.slug}</Text></Table.Td>
                      <Table.Td>{item.published_revision ? `revision ${item.published_revision}` : "not yet"}</Table.Td>
                      <Table.Td><Anchor component={Link} to={`/runs?workflow=${item.id}`} size="sm" aria-label={`Runs of ${item.name}`}>Runs</Anchor></Table.Td>
                      <Table.Td><TimeAgo value={item.created_at} compact /></Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )}
        </Loaded>
      </Panel>
    </Page>
  );
}

function NewWorkflow() {
  const [opened, { open, close }] = useDisclosure();
  const navigate = useNavigate();
  const form = useForm({ initialValues: { name: "", description: "" } });
  const add = $api.useMutation("post", "/api/v1/workflows", {
    onSuccess: async (made) => {
      await changed.nodes();
      void navigate(`/workflows/${made.id}`);
    },
  });
  const errors = fieldErrors(add.error);
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>New workflow</Button>
      <Modal opened={opened} onClose={close} title="New workflow" centered>
        <form onSubmit={form.onSubmit((body) => add.mutate({ body }))}>
          <Stack>
            <TextInput label="Name" required data-autofocus {...form.getInputProps("name")} error={errors.name} />
            <TextInput label="Description" {...form.getInputProps("description")} />
            <ErrorAlert error={add.error} />
            <Group justify="flex-end"><Button type="submit" loading={add.isPending}>Create</Button></Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
