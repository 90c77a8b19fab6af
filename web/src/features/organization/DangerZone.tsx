import { Group, Select, Stack, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import { $api, client } from "@/api/client";
import { enterAnother } from "@/api/organizations";
import { changed, members } from "@/api/queries";
import type { Organization } from "@/api/types";
import { useMay, useMe } from "@/api/useMe";
import { ConfirmButton } from "@/components/ConfirmButton";
import { Panel } from "@/components/Page";
import { absolute } from "@/components/time";

/** What cannot be taken back lightly; for those who may. */
export function DangerZone({ organization }: { organization: Organization }) {
  const { role } = useMe();
  const may = useMay();
  const owner = role === "owner";
  return (
    <Panel title="Danger zone" danger>
      <Stack>
        <Risk title="Transfer ownership" text={owner ? "Another member becomes owner, and you become admin." : "Only an owner can hand the organization over."}>
          {owner && <Transfer organization={organization} />}
        </Risk>
        <Risk title="Delete the organization" text={may("organization:delete") && owner ? "Nobody can open it any more. Owners can restore it for a time; then everything in it is gone." : "Only an owner can delete the organization."}>
          {may("organization:delete") && owner && <Delete organization={organization} />}
        </Risk>
      </Stack>
    </Panel>
  );
}

function Risk({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-end">
      <div style={{ flex: "1 1 260px" }}>
        <Title order={3} size="h5">{title}</Title>
        <Text size="sm" c="dimmed">{text}</Text>
      </div>
      {children}
    </Group>
  );
}

function Transfer({ organization }: { organization: Organization }) {
  const me = useMe();
  const people = useQuery(members());
  const [chosen, setChosen] = useState<string | null>(null);
  const others = people.data?.items.filter(({ user_id }) => user_id !== me.user.id) ?? [];
  const member = others.find(({ id }) => String(id) === chosen);
  const transfer = $api.useMutation("post", "/api/v1/organization/transfer", {
    onSuccess: async () => {
      notifications.show({ message: `${member?.name} is owner now; you are admin.` });
      await changed.members();
    },
  });
  return (
    <Group align="flex-end" gap="xs">
      <Select aria-label="New owner" placeholder={others.length ? "Choose a member" : "There is no other member"} disabled={!others.length} searchable value={chosen} onChange={setChosen}
        data={others.map(({ id, name, email }) => ({ value: String(id), label: `${name} (${email})` }))} />
      <ConfirmButton label="Transfer…" button={{ disabled: !member }} title="Transfer ownership?" confirm="Transfer" typed={organization.slug} pending={transfer.isPending} error={transfer.error}
        text={<><b>{member?.name}</b> ({member?.email}) becomes owner of {organization.name}. You become admin: you no longer change members or settings, and only the new owner can give that back.</>}
        onConfirm={(done) => member && transfer.mutate({ body: { member_id: member.id, confirm: organization.slug } }, { onSuccess: done })} />
    </Group>
  );
}

function Delete({ organization }: { organization: Organization }) {
  const me = useMe();
  const remove = useMutation({
    mutationFn: async () => {
      const { data } = await client.DELETE("/api/v1/organization", { params: { query: { confirm: organization.slug } } });
      notifications.show({
        autoClose: 20_000,
        title: `${organization.name} is deleted`,
        message: `It can be restored on your profile until ${absolute(new Date(data!.purge_after))}.`,
      });
      await enterAnother(me);
    },
  });
  return (
    <ConfirmButton label="Delete…" button={{ color: "red.9", variant: "filled" }} title={`Delete ${organization.name}?`} confirm="Delete the organization" keep="Keep it" typed={organization.slug} pending={remove.isPending} error={remove.error}
      text={
        <>
          Its schedules stop, its members and API keys are refused at once, and it leaves everybody&apos;s list. For some days its owners can restore it on their profile, with everything in it; you are told the last of these days.
          After it, its pipelines, its runs and its tables in the warehouse are erased.
        </>
      }
      onConfirm={() => remove.mutate()} />
  );
}
