import { Group, SimpleGrid, Text, ThemeIcon } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearchParams } from "react-router";

import { $api } from "@/api/client";
import { changed, connectors } from "@/api/queries";
import type { Connector } from "@/api/types";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { ConnectionForm } from "./ConnectionForm";
import { ConnectorIcon } from "./ConnectorIcon";

const CRUMBS = [{ label: "Connections", to: "/connections" }];

export function NewConnectionPage() {
  const query = useQuery(connectors());
  const [params] = useSearchParams();
  return (
    <Loaded query={query}>
      {(list) => {
        const chosen = list.find(({ name }) => name === params.get("connector"));
        return chosen ? <NewConnection key={chosen.name} connector={chosen} /> : <Choice connectors={list} />;
      }}
    </Loaded>
  );
}

function Choice({ connectors: list }: { connectors: Connector[] }) {
  return (
    <Page title="New connection" description="What do you want to connect to?" crumbs={CRUMBS}>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {list.map((connector) => (
          <Link key={connector.name} to={`?connector=${connector.name}`} className="surface card-link">
            <Group p="md" wrap="nowrap" align="flex-start">
              <ThemeIcon variant="light" size={42}><ConnectorIcon connector={connector.name} /></ThemeIcon>
              <div>
                <Text fw={600}>{connector.label}</Text>
                <Text size="sm" c="dimmed">{connector.description}</Text>
                <Text size="xs" c="dimmed" mt={4}>{connector.directions.join(" and ")}</Text>
              </div>
            </Group>
          </Link>
        ))}
      </SimpleGrid>
    </Page>
  );
}

function NewConnection({ connector }: { connector: Connector }) {
  const navigate = useNavigate();
  const save = $api.useMutation("post", "/api/v1/connections", {
    onSuccess: async (made) => {
      await changed.connections();
      notifications.show({ message: `Connection "${made.name}" is saved.` });
      void navigate(`/connections/${made.id}`);
    },
  });
  return (
    <Page title={`New ${connector.label} connection`} description={connector.description}
      crumbs={[...CRUMBS, { label: "New", to: "/connections/new" }]}>
      <Panel>
        <ConnectionForm connector={connector} saving={save.isPending} error={save.error}
          onSave={(values) => save.mutate({ body: { connector: connector.name, ...values } })} />
      </Panel>
    </Page>
  );
}
