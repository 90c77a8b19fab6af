import { Select, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed } from "@/api/queries";
import type { ResourceState, StateVersion } from "@/api/types";
import { ConfirmButton } from "@/components/ConfirmButton";
import { absolute } from "@/components/time";
import { effectOfReset, effectOfRestore, effectOfSet } from "./stateEffects";

interface OfResource {
  id: number;
  resource: ResourceState;
  disabled: boolean;
}

export function ResetButton({ id, resource, disabled }: OfResource) {
  const change = $api.useMutation("post", "/api/v1/pipelines/{id}/state/reset", { onSuccess: changed.pipelineState });
  return (
    <ConfirmButton label="Reset" ariaLabel={`Reset ${resource.name}`} button={{ size: "compact-xs", disabled }} title={`Load ${resource.table} from the beginning?`}
      text={effectOfReset(resource)} confirm="Reset" pending={change.isPending} error={change.error}
      onConfirm={(done) => change.mutate({ params: { path: { id } }, body: { resource: resource.name } }, { onSuccess: done })} />
  );
}

export function SetButton({ id, resource, disabled }: OfResource) {
  const [value, setValue] = useState(resource.position?.text ?? "");
  const change = $api.useMutation("post", "/api/v1/pipelines/{id}/state/set", { onSuccess: changed.pipelineState });
  const text = (
    <Stack gap="sm">
      <TextInput label={`Begin at this ${resource.cursor}`} description={resource.position ? `a value of type ${resource.position.type}` : undefined} data-autofocus required classNames={{ input: "mono" }}
        value={value} onChange={(event) => setValue(event.currentTarget.value)} error={fieldErrors(change.error).value} />
      <Text size="sm">{effectOfSet(resource, value)}</Text>
    </Stack>
  );
  return (
    <ConfirmButton label="Set" ariaLabel={`Set ${resource.name}`} button={{ size: "compact-xs", disabled }} title={`Where does ${resource.table} go on?`}
      text={text} confirm="Set" pending={change.isPending} error={change.error}
      onConfirm={(done) => change.mutate({ params: { path: { id } }, body: { resource: resource.name, value } }, { onSuccess: done })} />
  );
}

export function RestoreButton({ id, version, resources, disabled }: { id: number; version: StateVersion; resources: ResourceState[]; disabled: boolean }) {
  const [name, setName] = useState<string | null>(null);
  const change = $api.useMutation("post", "/api/v1/pipelines/{id}/state/restore", { onSuccess: changed.pipelineState });
  const followed = resources.filter(({ follows }) => follows);
  const chosen = name === null ? followed : followed.filter((resource) => resource.name === name);
  const when = absolute(new Date(version.created_at));
  const text = (
    <Stack gap="sm">
      <Select label="Which table" placeholder="all of them" clearable clearButtonProps={{ "aria-label": "All tables" }} data={followed.map((resource) => resource.name)} value={name} onChange={setName} />
      <Text size="sm">{effectOfRestore(chosen)}</Text>
    </Stack>
  );
  return (
    <ConfirmButton label="Go back" ariaLabel={`Go back to ${when}`} button={{ size: "compact-xs", disabled: disabled || !followed.length }} title={`Go on from where it was on ${when}?`}
      text={text} confirm="Go back" pending={change.isPending} error={change.error}
      onConfirm={(done) => change.mutate({ params: { path: { id } }, body: { load_id: version.load_id, resource: name } }, { onSuccess: done })} />
  );
}
