import { Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed } from "@/api/queries";
import type { SchemaChange } from "@/api/types";
import { ConfirmButton } from "../ConfirmButton";
import { ChangeDiff } from "./ChangeDiff";

const DECISIONS = {
  approve: { label: "Approve", text: "The next load goes on with exactly these changes; others are held again. Retry the run, or wait for the next one.", color: "weave" },
  reject: { label: "Reject", text: "Loads with these changes fail from now on, until the source or the configuration of the pipeline changes.", color: "red.9" },
} as const;

/** Asks for a note, then decides. */
export function DecisionButton({ change, decision }: { change: SchemaChange; decision: keyof typeof DECISIONS }) {
  const [note, setNote] = useState("");
  const { label, text, color } = DECISIONS[decision];
  // Also when it was decided meanwhile: then the list shows by whom.
  const decide = $api.useMutation("post", `/api/v1/schema-changes/{id}/${decision}`, { onSettled: changed.schemaChanges });
  const asked = (
    <Stack gap="sm">
      <Text size="sm">{text}</Text>
      <ChangeDiff table={change.table} changes={change.changes} />
      <Textarea label="Note" description="Shown beside the decision." rows={3} maxLength={1000} value={note} onChange={(event) => setNote(event.currentTarget.value)} error={fieldErrors(decide.error).note} />
    </Stack>
  );
  return (
    <ConfirmButton label={label} ariaLabel={`${label} the changes of ${change.table}`} button={{ size: "compact-xs" }} title={`${label} the changes of ${change.table}?`}
      text={asked} confirm={label} color={color} pending={decide.isPending} error={decide.error}
      onConfirm={(done) => decide.mutate({ params: { path: { id: change.id } }, body: { note } }, { onSuccess: done })} />
  );
}
