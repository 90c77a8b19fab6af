import { Alert, Anchor, Group, Select, Stack, Text } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { $api } from "@/api/client";
import { changed, rejectedTables } from "@/api/queries";
import type { RejectedTables } from "@/api/types";
import { useMay } from "@/api/useMe";
import { ConfirmButton } from "@/components/ConfirmButton";
import { Loaded } from "@/components/Loaded";
import { Panel } from "@/components/Page";
import { effectOfReplay, replayable, whyNot } from "./replays";

const count = (rows: number) => `${rows.toLocaleString("en")} ${rows === 1 ? "row" : "rows"}`;

/** Rejected rows loaded as the pipeline is configured now, or why that cannot be. */
export function Replay({ id }: { id: number }) {
  const may = useMay()("runs:execute");
  return <Loaded query={useQuery(rejectedTables(id))} lines={2}>{(found) => <Offer id={id} found={found} may={may} />}</Loaded>;
}

export function Offer({ id, found, may }: { id: number; found: RejectedTables; may: boolean }) {
  const [table, setTable] = useState<string | null>(null);
  const start = $api.useMutation("post", "/api/v1/pipelines/{id}/rejected/replay", { onSuccess: changed.rejected });
  if (!found.tables.length) return null;
  const able = replayable(found);
  const chosen = table === null ? able : able.filter((one) => one.table === table);
  const why = whyNot(found, may);
  const text = (
    <Stack gap="sm">
      <Select label="Which table" placeholder="all of them" clearable clearButtonProps={{ "aria-label": "All tables" }} data={able.map((one) => one.table)} value={table} onChange={setTable} />
      <Text size="sm">{effectOfReplay(chosen)}</Text>
    </Stack>
  );
  const run = start.data;
  return (
    <Panel title="Load them after all"
      actions={
        <ConfirmButton label="Replay" icon={<IconRefresh size={14} aria-hidden />} button={{ size: "xs", disabled: why !== null }} title="Load rejected rows as configured now?"
          text={text} confirm="Replay" pending={start.isPending} error={start.error}
          onConfirm={(done) => start.mutate({ params: { path: { id } }, body: { tables: table === null ? [] : [table] } }, { onSuccess: done })} />
      }>
      <Stack gap="xs">
        <Text size="sm">{why ?? "Change the settings so that they fit, publish, and replay: rows that are loaded leave this list."}</Text>
        {found.tables.map((one) => (
          <Group key={one.table} gap="xs">
            <Text size="sm" fw={600}>{one.table}</Text>
            <Text size="sm" c="dimmed">{count(one.rows)}{one.blocked ? `, which cannot be replayed: ${one.blocked}` : ""}</Text>
          </Group>
        ))}
        {run && (
          <Alert color="blue" variant="light" title="The replay has begun" role="status">
            <Anchor component={Link} size="sm" to={`/runs/${encodeURIComponent(run.dag_id)}/${encodeURIComponent(run.run_id)}?tab=tables`}>See what its run loads</Anchor>
          </Alert>
        )}
      </Stack>
    </Panel>
  );
}
