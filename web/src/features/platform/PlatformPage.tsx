import { Badge, Group, SimpleGrid, Switch, Table, Text } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { $api } from "@/api/client";
import { changed, platformHealth, platformOrganizations } from "@/api/queries";
import type { PlatformOrganization } from "@/api/types";
import { useMe } from "@/api/useMe";
import { EmptyState } from "@/components/EmptyState";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { StateBadge } from "@/components/StateBadge";
import { TimeAgo } from "@/components/Time";

export function PlatformPage() {
  const { user } = useMe();
  return (
    <Page title="Platform" description="The whole installation, for those who operate it.">
      {user.platform_role ? (
        <>
          <Panel title="Health"><Health /></Panel>
          <Panel title="Organizations" p={0}><Organizations owner={user.platform_role === "owner"} /></Panel>
        </>
      ) : (
        <Panel><EmptyState icon={<IconLock aria-hidden />} title="This is for the operators of the installation" text="Your account is not one of theirs." /></Panel>
      )}
    </Page>
  );
}

function Health() {
  const query = useQuery({ ...platformHealth(), refetchInterval: 15_000 });
  return (
    <Loaded query={query}>
      {({ sandbox, sandbox_network, sandbox_holes, airflow, versions }) => (
        <SimpleGrid cols={{ base: 1, md: 3 }}>
          <Facts title="Isolation of organizations' code" facts={[["sandbox", sandbox], ["network", sandbox_network], ["holes found", sandbox_holes.join(", ") || "none"]]} />
          <Facts title="Airflow" facts={Object.entries(airflow)} states empty="Airflow does not answer." />
          <Facts title="Versions" facts={Object.entries(versions)} />
        </SimpleGrid>
      )}
    </Loaded>
  );
}

function Facts({ title, facts, states = false, empty }: { title: string; facts: [string, string | null][]; states?: boolean; empty?: string }) {
  return (
    <div>
      <Text size="sm" fw={600} mb={6}>{title}</Text>
      {!facts.length && <StateBadge state="failed" />}
      {!facts.length && <Text size="sm">{empty}</Text>}
      {facts.map(([name, value]) => (
        <Group key={name} justify="space-between" gap="xs" py={2} wrap="nowrap">
          <Text size="sm" c="dimmed">{name.replaceAll("_", " ")}</Text>
          {states ? <StateBadge state={value} /> : <Text size="sm" className="break" ta="right">{value ?? "–"}</Text>}
        </Group>
      ))}
    </div>
  );
}

function Organizations({ owner }: { owner: boolean }) {
  const query = useQuery(platformOrganizations());
  return (
    <Loaded query={query}>
      {({ items }) => (
        <Table.ScrollContainer minWidth={680} type="native" role="region" aria-label="All organizations">
          <Table aria-label="Organizations">
            <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th className="number">Members</Table.Th><Table.Th>Created</Table.Th><Table.Th>Airflow for its operators</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>{items.map((item) => <Row key={item.id} organization={item} owner={owner} />)}</Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Loaded>
  );
}

function Row({ organization, owner }: { organization: PlatformOrganization; owner: boolean }) {
  const change = $api.useMutation("patch", "/api/v1/platform/organizations/{id}", { onSuccess: () => changed.platform() });
  const { id, name, slug, members, created_at, deleted_at, airflow_operators } = organization;
  return (
    <Table.Tr>
      <Table.Td>
        <Group gap="xs"><Text size="sm" fw={600} className="break">{name}</Text>{deleted_at && <Badge className="state state-red" variant="light" tt="none" size="sm">deleted</Badge>}</Group>
        <Text size="xs" c="dimmed" className="mono">{slug}</Text>
      </Table.Td>
      <Table.Td className="number">{members}</Table.Td>
      <Table.Td><TimeAgo value={created_at} compact /></Table.Td>
      <Table.Td>
        {owner && !deleted_at ? (
          <Switch aria-label={`Airflow for the operators of ${name}`} checked={airflow_operators} disabled={change.isPending}
            onChange={(event) => change.mutate({ params: { path: { id } }, body: { airflow_operators: event.currentTarget.checked } })} />
        ) : (
          <Text size="sm">{airflow_operators ? "on" : "off"}</Text>
        )}
        <ErrorAlert error={change.error} />
      </Table.Td>
    </Table.Tr>
  );
}
