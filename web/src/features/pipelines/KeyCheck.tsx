import { Alert, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";

import { sourceProfile } from "@/api/queries";
import type { ResourceConfig } from "@/api/types";
import { useMay } from "@/api/useMe";
import { KeyFinding } from "@/components/KeyFinding";
import { sourceOf } from "./selection";

interface Props {
  sourceId: number;
  config: ResourceConfig;
  /** Only what is wrong is said. */
  quiet?: boolean;
  /** Called when it is known, or cannot be. */
  onSettled?: () => void;
}

/** Whether the key of a resource tells rows apart, with those that it does not; for those who may look at rows. */
export function KeyCheck({ sourceId, config, quiet = false, onSettled }: Props) {
  const source = sourceOf(config);
  const may = useMay()("connections:write");
  const query = useQuery({ ...sourceProfile(sourceId, source, config.primary_key), enabled: may && config.primary_key.length > 0 });
  const settled = !query.isPending;
  useEffect(() => {
    if (settled) onSettled?.();
  }, [settled, onSettled]);
  if (!config.primary_key.length || !may) return null;
  if (query.isPending) return quiet ? null : <Text size="xs" c="dimmed" role="status">Looking whether the key is unique…</Text>;
  if (query.error) return quiet ? null : <Text size="xs" c="dimmed">Whether the key is unique could not be seen: {query.error.message}</Text>;
  if (!query.data.key || query.data.key.unique) return quiet ? null : <KeyFinding profile={query.data} />;
  return (
    <Alert color="orange" variant="light" icon={<IconAlertTriangle aria-hidden />} title={`The key of ${source} does not tell its rows apart`}
      styles={{ title: { color: "var(--mantine-color-text)" }, message: { color: "var(--mantine-color-text)" } }}>
      <KeyFinding profile={query.data} />
      <Text size="sm" mt="xs">{config.write_disposition === "insert" ? "The load would fail." : "Of rows that share a key only one would stay."} Choose more columns, or filter rows out.</Text>
    </Alert>
  );
}
