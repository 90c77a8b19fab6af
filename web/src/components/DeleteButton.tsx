import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconTrash } from "@tabler/icons-react";

import { ErrorAlert } from "./ErrorAlert";

/** A delete that asks first, and shows why when the service refuses. */
export function DeleteButton({ what, consequence, onConfirm, pending, error, size }: {
  what: string;
  consequence?: string;
  onConfirm: () => void;
  pending: boolean;
  error: unknown;
  size?: string;
}) {
  const [opened, { open, close }] = useDisclosure();
  return (
    <>
      <Button variant="default" size={size} leftSection={<IconTrash size={15} aria-hidden />} onClick={open} aria-label={`Delete ${what}`}>Delete</Button>
      <Modal opened={opened} onClose={close} title={`Delete ${what}?`} centered closeButtonProps={{ "aria-label": "Close" }}>
        <Stack>
          <Text size="sm">{consequence ?? "It goes out of every list. Tables already loaded stay in the warehouse."}</Text>
          <ErrorAlert error={error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>Keep it</Button>
            <Button color="red.9" loading={pending} onClick={onConfirm}>Delete</Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
