import { Button, Code, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { changed } from "@/api/queries";
import type { NewApiKey as NewKey, Permission } from "@/api/types";
import { useMe } from "@/api/useMe";
import { CopyField } from "@/components/CopyField";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Notice } from "@/components/Notice";
import { EXPIRIES, expiry } from "./expiry";
import { PRESETS } from "./scopes";
import { ScopePicker } from "./ScopePicker";

/** Makes a key, then shows it this once. */
export function NewApiKey() {
  const [opened, { open, close }] = useDisclosure();
  const create = $api.useMutation("post", "/api/v1/api-keys", { onSuccess: () => void changed.apiKeys() });
  function leave() {
    close();
    create.reset(); // the key is forgotten here too
  }
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>New API key</Button>
      <Modal opened={opened} onClose={leave} size="lg" title={create.data ? `The key "${create.data.name}"` : "New API key"} closeOnClickOutside={!create.data}>
        {create.data ? (
          <Made made={create.data} onClose={leave} />
        ) : (
          <KeyForm pending={create.isPending} error={create.error} onCreate={(body) => create.mutate({ body })} />
        )}
      </Modal>
    </>
  );
}

interface Wanted {
  name: string;
  scopes: Permission[];
  expires_at: string | null;
}

function KeyForm({ pending, error, onCreate }: { pending: boolean; error: unknown; onCreate: (wanted: Wanted) => void }) {
  const me = useMe();
  const form = useForm({
    initialValues: { name: "", scopes: PRESETS[0]!.scopes(me.permissions), expiry: "90", date: "" },
    validate: {
      scopes: (scopes) => (scopes.length ? null : "Choose at least one"),
      date: (date, { expiry: kind }) => (kind === "date" && !date ? "Choose the day" : null),
    },
  });
  const errors = { ...fieldErrors(error), ...form.errors };
  return (
    <form onSubmit={form.onSubmit(({ name, scopes, expiry: kind, date }) => onCreate({ name, scopes, expires_at: expiry(kind, date, new Date()) }))}>
      <Stack>
        <TextInput label="Name" required data-autofocus maxLength={120} description="What uses it, such as: nightly deploy." {...form.getInputProps("name")} error={errors.name} />
        <Group align="flex-start">
          <Select label="Expires" data={EXPIRIES} allowDeselect={false} {...form.getInputProps("expiry")} error={errors.expires_at} />
          {form.values.expiry === "date" && <TextInput label="Last day" type="date" {...form.getInputProps("date")} error={errors.date} />}
        </Group>
        <ScopePicker own={me.permissions} chosen={form.values.scopes} error={errors.scopes} onChange={(scopes) => form.setFieldValue("scopes", scopes)} />
        <ErrorAlert error={error} />
        <Group justify="flex-end"><Button type="submit" loading={pending}>Create key</Button></Group>
      </Stack>
    </form>
  );
}

function Made({ made, onClose }: { made: NewKey; onClose: () => void }) {
  return (
    <Stack>
      <Notice title="Copy the key now: it is never shown again.">
        Keep it where you keep passwords. Whoever has it can do what it may do.
      </Notice>
      <CopyField label="API key" value={made.key} />
      <div>
        <Text size="sm" fw={500} mb={4}>Try it</Text>
        <Code block className="break" style={{ whiteSpace: "pre-wrap" }} role="region" aria-label="Example">{`curl -H "Authorization: Bearer ${made.key}" \\\n  ${window.location.origin}/api/v1/workflows`}</Code>
      </div>
      <Group justify="flex-end"><Button onClick={onClose}>I have it</Button></Group>
    </Stack>
  );
}
