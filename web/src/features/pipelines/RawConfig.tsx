import { Button, Group, JsonInput, Stack, Text } from "@mantine/core";
import { useState } from "react";

import type { PipelineConfig } from "@/api/types";

/** The configuration as it is sent, for what the form has no field for. */
export function RawConfig({ config, onApply }: { config: PipelineConfig; onApply: (config: PipelineConfig) => void }) {
  const [text, setText] = useState(() => JSON.stringify(config, null, 2));
  const [wrong, setWrong] = useState<string | null>(null);

  function apply() {
    try {
      const read: unknown = JSON.parse(text);
      const resources = (read as { resources?: unknown } | null)?.resources ?? [];
      if (typeof read !== "object" || read === null || Array.isArray(read)) throw new Error("the configuration is an object");
      if (!Array.isArray(resources) || resources.some((one) => typeof one?.name !== "string")) throw new Error("resources is a list of objects that have a name");
      onApply(read as PipelineConfig);
    } catch (error) {
      setWrong(`This cannot be taken over: ${(error as Error).message}.`);
    }
  }

  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">What you write here takes the place of the form's settings when you take it over.</Text>
      <JsonInput label="Configuration" value={text} onChange={(value) => (setText(value), setWrong(null))} autosize minRows={10} maxRows={30} classNames={{ input: "mono" }} error={wrong} spellCheck={false} />
      <Group><Button variant="default" onClick={apply}>Take it over</Button></Group>
    </Stack>
  );
}
