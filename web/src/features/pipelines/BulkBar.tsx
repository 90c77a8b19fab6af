import { Button, Group, Select, TagsInput, Text, TextInput } from "@mantine/core";
import { useState } from "react";

import type { ResourceConfig } from "@/api/types";
import { offered, useLoading } from "./loading";
import { loadedAs, type Disposition } from "./selection";
import { DISPOSITIONS } from "./ways";

interface Props {
  /** How many are marked. */
  count: number;
  onChange: (change: (config: ResourceConfig) => ResourceConfig) => void;
  onRemove: () => void;
}

/** One setting for all resources that are marked. */
export function BulkBar({ count, onChange, onRemove }: Props) {
  const [key, setKey] = useState<string[]>([]);
  const [cursor, setCursor] = useState("");
  const disabled = !count;
  const loading = useLoading();
  return (
    <Group gap="xs" role="group" aria-label="Change all that are marked">
      <Text size="sm" role="status">{count.toLocaleString("en")} marked:</Text>
      <Select size="xs" w={190} aria-label="Load of all marked" placeholder="Load as…" data={offered(DISPOSITIONS, loading?.dispositions)} value={null} disabled={disabled}
        onChange={(value) => value && onChange((config) => loadedAs(config, value as Disposition))} />
      <TagsInput size="xs" w={190} aria-label="Key of all marked" placeholder={key.length ? undefined : "Key columns"} value={key} onChange={setKey} disabled={disabled} />
      <Button size="xs" variant="default" disabled={disabled} onClick={() => onChange((config) => ({ ...config, primary_key: key }))}>{key.length ? "Set key" : "No key"}</Button>
      <TextInput size="xs" w={150} aria-label="Cursor of all marked" placeholder="Cursor column" value={cursor} onChange={(event) => setCursor(event.currentTarget.value)} disabled={disabled} />
      <Button size="xs" variant="default" disabled={disabled}
        onClick={() => onChange((config) => (config.merge_strategy === "scd2" ? config : { ...config, cursor: cursor ? { column: cursor } : null }))}>{cursor ? "Set cursor" : "No cursor"}</Button>
      <Button size="xs" variant="default" disabled={disabled} onClick={onRemove}>Leave out</Button>
    </Group>
  );
}
