import { ActionIcon, Group, ScrollArea, Skeleton, Stack, Text, Tooltip } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";

/** What the SQL may read; a click puts the call into the editor. */
export function TablesSidebar({ references, loading, readOnly, onInsert }: { references: string[]; loading: boolean; readOnly: boolean; onInsert: (call: string) => void }) {
  if (!references.length && loading) return <Skeleton height={60} role="status" aria-label="Loading" />;
  if (!references.length) return <Text size="sm" c="dimmed">Nothing to read yet: make a pipeline in this workflow first.</Text>;
  return (
    <ScrollArea.Autosize mah={340} viewportProps={{ tabIndex: 0, role: "region", "aria-label": "Available tables" }}>
      <Stack gap={2}>
        {references.map((call) => (
          <Group key={call} justify="space-between" wrap="nowrap" gap="xs">
            <Text className="mono break">{call}</Text>
            {!readOnly && (
              <Tooltip label="Put it into the SQL">
                <ActionIcon variant="subtle" color="gray" aria-label={`Insert ${call}`} onClick={() => onInsert(`{{ ${call} }}`)}><IconPlus size={15} /></ActionIcon>
              </Tooltip>
            )}
          </Group>
        ))}
      </Stack>
    </ScrollArea.Autosize>
  );
}
