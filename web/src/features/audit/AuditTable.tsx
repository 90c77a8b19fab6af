import { Button, Group, Table, Text, UnstyledButton } from "@mantine/core";
import { IconChevronRight, IconHistory } from "@tabler/icons-react";
import { Fragment, useState } from "react";

import { $api } from "@/api/client";
import type { AuditEntry } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { TimeAgo } from "@/components/Time";
import { EntryDetail } from "./EntryDetail";
import type { AuditQuery } from "./useAuditFilter";

const PAGE = 50;

/** Entries, newest first; a row opens what changed. */
export function AuditTable({ query: filter }: { query: AuditQuery }) {
  const query = $api.useInfiniteQuery("get", "/api/v1/audit", { params: { query: { ...filter, limit: PAGE } } }, {
    pageParamName: "cursor",
    initialPageParam: null, // null is left out of the address, undefined would become 0
    getNextPageParam: (last: { next_cursor: string | null }) => last.next_cursor ?? undefined,
  });
  return (
    <Loaded query={query} lines={8}>
      {({ pages }) => {
        const entries = pages.flatMap(({ items }) => items);
        if (!entries.length) return <EmptyState icon={<IconHistory aria-hidden />} title="No entry fits" text="Nothing of this kind has happened in this organization." />;
        return (
          <>
            <Entries entries={entries} />
            <Group p="md" gap="sm">
              {query.hasNextPage && <Button size="xs" variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Load more</Button>}
              <Text size="sm" c="dimmed" role="status">{entries.length} shown{query.hasNextPage ? "" : ", that is all"}</Text>
            </Group>
          </>
        );
      }}
    </Loaded>
  );
}

function Entries({ entries }: { entries: AuditEntry[] }) {
  const [opened, setOpened] = useState<number | null>(null);
  return (
    <Table.ScrollContainer minWidth={720} type="native">
      <Table aria-label="Entries">
        <Table.Thead><Table.Tr><Table.Th>What</Table.Th><Table.Th>Who</Table.Th><Table.Th>When</Table.Th><Table.Th>From</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {entries.map((entry) => (
            <Fragment key={entry.id}>
              <Row entry={entry} opened={opened === entry.id} onToggle={() => setOpened(opened === entry.id ? null : entry.id)} />
              {opened === entry.id && <Table.Tr><Table.Td colSpan={4} p={0}><EntryDetail entry={entry} /></Table.Td></Table.Tr>}
            </Fragment>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ entry, opened, onToggle }: { entry: AuditEntry; opened: boolean; onToggle: () => void }) {
  const name = nameOf(entry);
  return (
    <Table.Tr>
      <Table.Td>
        <UnstyledButton onClick={onToggle} aria-expanded={opened} w="100%">
          <Group gap={6} wrap="nowrap" align="flex-start">
            <IconChevronRight size={15} aria-hidden className={opened ? "open" : undefined} style={{ marginTop: 3, flexShrink: 0 }} />
            <div>
              <Text size="sm"><b>{entry.action.replaceAll("_", " ")}</b> {entry.resource_type.replaceAll("_", " ")} {entry.resource_id}</Text>
              {name && <Text size="xs" c="dimmed" className="break" lineClamp={1}>{name}</Text>}
            </div>
          </Group>
        </UnstyledButton>
      </Table.Td>
      <Table.Td className="break"><Who entry={entry} /></Table.Td>
      <Table.Td><TimeAgo value={entry.created_at} /></Table.Td>
      <Table.Td className="nowrap">{entry.address ?? "–"}</Table.Td>
    </Table.Tr>
  );
}

/** The name that the thing had, where the entry tells it. */
function nameOf(entry: AuditEntry): string {
  const name = entry.new_values?.name ?? entry.old_values?.name;
  return typeof name === "string" ? name : "";
}

function Who({ entry }: { entry: AuditEntry }) {
  if (!entry.user) return <Text span size="sm" c="dimmed">the service</Text>;
  return (
    <>
      <Text size="sm">{entry.user.name}</Text>
      <Text size="xs" c="dimmed">{entry.api_key ? `with the API key ${entry.api_key.name}` : entry.user.email}</Text>
    </>
  );
}
