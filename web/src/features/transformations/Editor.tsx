import { Alert, Button, Group, Stack, Tabs, Text } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, type Dispatch, type SetStateAction } from "react";

import { $api } from "@/api/client";
import { asApiError, fieldErrors } from "@/api/errors";
import { graph, pipelines, tables } from "@/api/queries";
import { useMay } from "@/api/useMe";
import { ErrorAlert, Problems } from "@/components/ErrorAlert";
import { FailedRows } from "@/components/FailedRows";
import { Panel } from "@/components/Page";
import { EditableBy } from "@/components/Permitted";
import { SqlEditor } from "@/components/SqlEditor";
import { useParam } from "@/components/useParam";
import { body, plannedSources, references, type Draft } from "./draft";
import { Preview } from "./Preview";
import { SettingsForm } from "./SettingsForm";
import { TablesSidebar } from "./TablesSidebar";
import { TestsEditor } from "./TestsEditor";

interface Props {
  draft: Draft;
  onChange: Dispatch<SetStateAction<Draft>>;
  save: { isPending: boolean; error: unknown };
  onSave: () => void;
}

/** Settings, SQL with its problems at their lines, tests, compiled SQL, preview and failed rows. */
export function Editor({ draft, onChange, save, onSave }: Props) {
  const [tab, setTab] = useParam("tab", "sql");
  const check = $api.useMutation("post", "/api/v1/transformations/check");
  const known = useReferences(draft);
  const problems = useMemo(() => {
    const refused = save.error ?? check.error;
    return refused ? asApiError(refused).problems : (check.data?.problems ?? []);
  }, [save.error, check.error, check.data]);
  // The editor may keep an older callback for a moment: it must not bring back an older draft.
  const setSql = useCallback((sql: string) => onChange((now) => ({ ...now, config: { ...now.config, sql } })), [onChange]);
  const runCheck = () => check.mutate({ body: { ...body(draft), id: draft.id } });
  const may = useMay()("transformations:write");
  const missing = !draft.name.trim() || !draft.config.sql.trim();

  return (
    <Stack onKeyDown={(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && may && !missing && runCheck()}>
      <Panel><EditableBy permission="transformations:write"><SettingsForm draft={draft} errors={fieldErrors(save.error)} onChange={onChange} /></EditableBy></Panel>
      <div className="editor-columns">
        <Panel p={0}>
          <Tabs value={tab} onChange={setTab} keepMounted={false}>
            <Tabs.List px="md" pt={4}>
              <Tabs.Tab value="sql">SQL</Tabs.Tab>
              <Tabs.Tab value="tests">Tests ({(draft.config.tests?.length ?? 0) + (draft.config.singular_tests?.length ?? 0)})</Tabs.Tab>
              <Tabs.Tab value="compiled">Compiled SQL</Tabs.Tab>
              {draft.id && <Tabs.Tab value="preview">Preview</Tabs.Tab>}
              {draft.id && <Tabs.Tab value="failures">Failed test rows</Tabs.Tab>}
            </Tabs.List>
            <Tabs.Panel value="sql"><SqlEditor label="SQL" value={draft.config.sql} onChange={may ? setSql : undefined} problems={problems} references={known.calls} columns={known.columns} /></Tabs.Panel>
            <Tabs.Panel value="tests"><fieldset disabled={!may} className="plain-fieldset"><TestsEditor config={draft.config} singular={draft.kind === "dbt_model"} onChange={(config) => onChange({ ...draft, config })} /></fieldset></Tabs.Panel>
            <Tabs.Panel value="compiled">
              {check.data?.compiled_sql ? <SqlEditor label="Compiled SQL" value={check.data.compiled_sql} /> : <Text size="sm" c="dimmed" p="md">Check the SQL; what dbt will send to the warehouse is shown here.</Text>}
            </Tabs.Panel>
            {draft.id && <Tabs.Panel value="preview"><Preview id={draft.id} version={draft.version ?? 0} /></Tabs.Panel>}
            {draft.id && <Tabs.Panel value="failures" p="md"><FailedRows transformationId={draft.id} /></Tabs.Panel>}
          </Tabs>
        </Panel>
        <Panel title="Available tables"><TablesSidebar readOnly={!may} references={known.calls} loading={known.loading} onInsert={(call) => setSql(`${draft.config.sql}${draft.config.sql && !/\s$/.test(draft.config.sql) ? " " : ""}${call}`)} /></Panel>
      </div>
      <div aria-live="polite" data-testid="check-result">
        {save.error ? <ErrorAlert error={save.error} title="Not saved" /> : <CheckResult check={check} />}
      </div>
      {may && (
        <Group>
          <Button variant="default" loading={check.isPending} disabled={missing} onClick={runCheck}>Check (Ctrl Enter)</Button>
          <Button loading={save.isPending} disabled={missing} onClick={onSave}>{draft.id ? "Save changes" : "Save transformation"}</Button>
        </Group>
      )}
    </Stack>
  );
}

function CheckResult({ check }: { check: { error: unknown; data?: { problems: Parameters<typeof Problems>[0]["problems"] } } }) {
  if (check.error) return <ErrorAlert error={check.error} title="The SQL has problems" />;
  if (!check.data) return null;
  if (check.data.problems.length) {
    return (
      <Alert color="red" variant="light" title="The SQL has problems" styles={{ title: { color: "var(--mantine-color-error)" }, message: { color: "var(--mantine-color-text)" } }}>
        <Problems problems={check.data.problems} />
      </Alert>
    );
  }
  return <Alert color="teal" variant="light" icon={<IconCheck aria-hidden />} title="The SQL compiles" styles={{ title: { color: "var(--mantine-color-text)" } }} />;
}

function useReferences(draft: Draft) {
  const flow = useQuery({ ...graph(draft.workflow_id), enabled: draft.workflow_id > 0 });
  const loads = useQuery(pipelines());
  const warehouse = useQuery(tables());
  return useMemo(() => {
    const own = loads.data?.items.filter(({ workflow_id }) => workflow_id === draft.workflow_id) ?? [];
    const calls = references(flow.data?.nodes ?? [], warehouse.data?.items ?? [], draft.id);
    const columns = (warehouse.data?.items ?? []).flatMap((table) => table.columns.map(({ name }) => name));
    return { calls: [...new Set([...calls, ...plannedSources(own)])].sort(), columns: [...new Set(columns)].sort(), loading: flow.isPending || loads.isPending };
  }, [flow.data, flow.isPending, loads.data, loads.isPending, warehouse.data, draft.id, draft.workflow_id]);
}
