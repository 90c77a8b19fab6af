import { Center, Group, Stack, Text, ThemeIcon } from "@mantine/core";
import type { ReactNode } from "react";

/** Says why there is nothing here, and leads to the next step. */
export function EmptyState({ icon, title, text, action }: {
  icon?: ReactNode;
  title: string;
  text: string;
  action?: ReactNode;
}) {
  return (
    <Center py="xl" px="md">
      <Stack align="center" gap="xs" maw={460}>
        {icon && <ThemeIcon size={44} radius="xl" variant="light">{icon}</ThemeIcon>}
        <Text fw={600} ta="center">{title}</Text>
        <Text c="dimmed" size="sm" ta="center">{text}</Text>
        {action && <Group mt="xs">{action}</Group>}
      </Stack>
    </Center>
  );
}
