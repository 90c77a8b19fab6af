import { Button, Group, Tabs } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "react-router";

import { $api } from "@/api/client";
import { changed, connection, connectors } from "@/api/queries";
import type { Connection } from "@/api/types";
import { useMay } from "@/api/useMe";
import { DeleteButton } from "@/components/DeleteButton";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { Permitted, ReadOnlyNotice } from "@/components/Permitted";
import { StateBadge } from "@/components/StateBadge";
import { useParam } from "@/components/useParam";
import { Consent } from "./Consent";
import { ConnectionForm } from "./ConnectionForm";
import { TableBrowser } from "./TableBrowser";
import { TestHistory } from "./TestHistory";

export function ConnectionPage() {
  const { id = "" } = useParams();
  const query = useQuery(connection(id));
  return <Loaded query={query}>{(found) => <Opened key={`${found.id}`} connection={found} />}</Loaded>;
}

function Opened({ connection: found }: { connection: Connection }) {
  const navigate = useNavigate();
  const registry = useQuery(connectors());
  const may = useMay();
  const [tab, setTab] = useParam("tab", "settings");
  const path = { params: { path: { id: found.id } } };
  const save = $api.useMutation("patch", "/api/v1/connections/{id}", {
    onSuccess: async () => {
      await changed.connections();
      notifications.show({ message: "Saved." });
    },
  });
  const remove = $api.useMutation("delete", "/api/v1/connections/{id}", {
    onSuccess: async () => {
      await navigate("/connections");
      await changed.connections();
    },
  });
  const isSource = found.direction !== "destination" && !found.managed;
  return (
    <Page title={found.name} crumbs={[{ label: "Connections", to: "/connections" }]}
      description={<Group gap="xs">{found.connector}, {found.direction} <StateBadge state={found.status} /> {found.status_message}</Group>}
      actions={
        <>
          {isSource && <Permitted to="pipelines:write"><Button component={Link} to={`/pipelines/new?source=${found.id}`}>New pipeline from it</Button></Permitted>}
          {!found.managed && <DeleteButton permission="connections:delete" what={`connection "${found.name}"`} error={remove.error} pending={remove.isPending} onConfirm={() => remove.mutate(path)} />}
        </>
      }>
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
          <Tabs.Tab value="tables">Tables</Tabs.Tab>
          <Tabs.Tab value="tests">Tests</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="settings">
          <Panel>
            <Loaded query={registry}>
              {(list) => {
                const connector = list.find(({ name }) => name === found.connector);
                if (!connector) return <>The connector {found.connector} is not installed here.</>;
                return (
                  <>
                    {!may("connections:write") && <ReadOnlyNotice />}
                    {found.consent && may("connections:write") && <Consent connection={found} provider={found.consent} />}
                    <ConnectionForm connector={connector} connection={found} readOnly={found.managed || !may("connections:write")} saving={save.isPending} error={save.error}
                      onSave={(body) => save.mutate({ ...path, body })} />
                  </>
                );
              }}
            </Loaded>
          </Panel>
        </Tabs.Panel>
        <Tabs.Panel value="tables"><TableBrowser connection={found} /></Tabs.Panel>
        <Tabs.Panel value="tests"><TestHistory connection={found} /></Tabs.Panel>
      </Tabs>
    </Page>
  );
}
