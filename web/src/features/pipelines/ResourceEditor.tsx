import { Alert, CloseButton, Drawer, Group, NumberInput, Select, SimpleGrid, Stack, Switch, Tabs, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { sourceColumns } from "@/api/queries";
import type { ContractRule, Cursor, ResourceConfig } from "@/api/types";
import { useMay } from "@/api/useMe";
import { ErrorAlert } from "@/components/ErrorAlert";
import { CalculatedColumns } from "./CalculatedColumns";
import { ColumnMapping } from "./ColumnMapping";
import { ColumnTable } from "./ColumnTable";
import { DraftPreview, type Target } from "./DraftPreview";
import { calculatedErrors } from "./drafts";
import { FileProposal } from "./FileProposal";
import { FilterEditor } from "./FilterEditor";
import { CursorSelect, KeySelect } from "./KeyAndCursor";
import { KeyCheck } from "./KeyCheck";
import { offered, useLoading, type Loading } from "./loading";
import { loadedAs, sourceOf, type Disposition } from "./selection";
import { useDraftPreview } from "./useDraftPreview";
import { DISPOSITIONS, PARTS, RULES, STRATEGIES } from "./ways";

/** Tabs whose settings change what a row becomes. */
const SHAPED = ["filters", "columns", "values", "calculated"];

interface Props {
  sourceId: number;
  label: string;
  config: ResourceConfig;
  error: string | undefined;
  problems: Record<string, string>;
  readOnly: boolean;
  target?: Target;
  onChange: (config: ResourceConfig) => void;
  onClose: () => void;
}

/** Everything that can be said of one resource. */
export function ResourceEditor({ sourceId, label, config, error, problems, readOnly, target, onChange, onClose }: Props) {
  const [tab, setTab] = useState<string | null>("load");
  const tried = useMay()("connections:write") && SHAPED.includes(tab ?? "");
  const preview = useDraftPreview(sourceId, config, tried);
  const columns = useQuery(sourceColumns(sourceId, sourceOf(config)));
  const below = (prefix: string) => Object.fromEntries(Object.entries(problems).filter(([field]) => field.startsWith(`${prefix}.`)).map(([field, words]) => [field.slice(prefix.length + 1), words]));
  const whole = error ?? problems[""];
  return (
    <Drawer.Root opened onClose={onClose} position="right" size="xl">
      <Drawer.Overlay />
      <Drawer.Content aria-label={`Settings of ${label}`}>
        <Drawer.Body pt="md">
          <Group justify="space-between" mb="sm" wrap="nowrap"><Title order={2} className="break">Settings of {label}</Title><CloseButton aria-label="Close the settings" onClick={onClose} /></Group>
          <fieldset disabled={readOnly} className="plain-fieldset">
            {whole && <Alert color="red" variant="light" mb="sm" role="alert" styles={{ message: { color: "var(--mantine-color-text)" } }}>{whole}</Alert>}
            <ErrorAlert error={columns.error} title="The columns could not be had" />
            <Tabs value={tab} onChange={setTab} keepMounted={false}>
              <Tabs.List mb="md"><Tabs.Tab value="load">Load</Tabs.Tab><Tabs.Tab value="filters">Filters</Tabs.Tab><Tabs.Tab value="columns">Columns</Tabs.Tab><Tabs.Tab value="values">Values</Tabs.Tab><Tabs.Tab value="calculated">Calculated</Tabs.Tab><Tabs.Tab value="rules">Rules</Tabs.Tab></Tabs.List>
              <Tabs.Panel value="load"><Loading sourceId={sourceId} config={config} problems={problems} onChange={onChange} /></Tabs.Panel>
              <Tabs.Panel value="filters"><FilterEditor filters={config.filters ?? []} columns={columns.data?.items ?? []} errors={below("filters")} onChange={(filters) => onChange({ ...config, filters })} /></Tabs.Panel>
              <Tabs.Panel value="columns"><FileProposal sourceId={sourceId} config={config} onChange={onChange} /><ColumnTable config={config} columns={columns.data?.items ?? []} errors={below("columns")} onChange={onChange} /></Tabs.Panel>
              <Tabs.Panel value="values"><ColumnMapping config={config} columns={columns.data?.items ?? []} errors={below("columns")} onChange={onChange} /></Tabs.Panel>
              <Tabs.Panel value="calculated"><CalculatedColumns config={config} errors={{ ...below("calculated"), ...calculatedErrors(preview.error) }} onChange={onChange} /></Tabs.Panel>
              <Tabs.Panel value="rules"><Rules config={config} problems={problems} onChange={onChange} /></Tabs.Panel>
            </Tabs>
          </fieldset>
          {tried && <DraftPreview table={config.name} target={target} {...preview} />}
        </Drawer.Body>
      </Drawer.Content>
    </Drawer.Root>
  );
}

type PartProps = Pick<Props, "config" | "problems" | "onChange">;

function Loading({ sourceId, config, problems, onChange }: PartProps & Pick<Props, "sourceId">) {
  const { write_disposition, merge_strategy, cursor } = config;
  const loading = useLoading();
  const canDelete = config.deletes !== "none" && config.deletes ? true : (loading?.abilities.includes("deletes") ?? true);
  const keyed = (write_disposition === "merge" && merge_strategy !== "scd2") || write_disposition === "insert";
  const set = (part: Partial<Cursor>) => cursor && onChange({ ...config, cursor: { ...cursor, ...part } });
  const shared = { sourceId, config, errors: problems, onChange, labelled: true };
  return (
    <Stack gap="sm">
      <TextInput size="xs" label="Table" value={config.name} error={problems.name} onChange={(event) => onChange({ ...config, name: event.currentTarget.value, source: sourceOf(config) })} />
      <Select size="xs" label="Load" data={offered(DISPOSITIONS, loading?.dispositions, write_disposition)} value={write_disposition} allowDeselect={false} error={problems.write_disposition} onChange={(value) => onChange(loadedAs(config, value as Disposition))} />
      {write_disposition === "merge" && (
        <Select size="xs" label="Strategy" data={offered(STRATEGIES, loading?.strategies, merge_strategy)} value={merge_strategy ?? "delete-insert"} allowDeselect={false} error={problems.merge_strategy}
          onChange={(value) => onChange(loadedAs(config, "merge", value as ResourceConfig["merge_strategy"]))} />
      )}
      <KeySelect {...shared} />
      {keyed && <KeyCheck sourceId={sourceId} config={config} />}
      {write_disposition === "merge" && merge_strategy !== "scd2" && canDelete && <Deletes config={config} problems={problems} onChange={onChange} />}
      <CursorSelect {...shared} />
      {cursor && (
        <SimpleGrid cols={{ base: 1, sm: 3 }}>
          <TextInput size="xs" label="Begin at" description="Empty: at the first row." value={String(cursor.initial_value ?? "")} error={problems["cursor.initial_value"]}
            onChange={(event) => set({ initial_value: event.currentTarget.value || null })} />
          <NumberInput size="xs" label="Lag" description="For a merge: seconds, or the cursor's unit." min={0} disabled={write_disposition !== "merge"} value={cursor.lag ?? 0} error={problems["cursor.lag"]} onChange={(lag) => set({ lag: Number(lag) || 0 })} />
          <Select size="xs" label="The last value" description="For rows that share it." allowDeselect={false} value={cursor.boundary ?? "inclusive"} error={problems["cursor.boundary"]}
            data={[{ value: "inclusive", label: "is read again" }, { value: "exclusive", label: "is left out" }]} onChange={(boundary) => set({ boundary: boundary as Cursor["boundary"] })} />
        </SimpleGrid>
      )}
    </Stack>
  );
}

const DELETES = [
  { value: "none", label: "stay as they are" },
  { value: "soft", label: "soft: are marked in _deleted_at" },
  { value: "hard", label: "hard: are removed" },
];

function Deletes({ config, problems, onChange }: PartProps) {
  const { deletes = "none", deletes_every = 0, max_deleted = 0.5 } = config;
  return (
    <>
      <Select size="xs" label="Rows that the source has no longer" description="They are found by comparing keys." data={DELETES} value={deletes} allowDeselect={false} error={problems.deletes}
        onChange={(value) => onChange({ ...config, deletes: value as ResourceConfig["deletes"] })} />
      {deletes !== "none" && (
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <NumberInput size="xs" label="Hours between comparisons" description="0: with every load." min={0} allowDecimal={false} value={deletes_every} error={problems.deletes_every} onChange={(value) => onChange({ ...config, deletes_every: Number(value) || 0 })} />
          <NumberInput size="xs" label="Percent deleted at most" description="More fail the load." min={0.01} max={100} value={max_deleted * 100} error={problems.max_deleted} onChange={(value) => onChange({ ...config, max_deleted: (Number(value) || 50) / 100 })} />
        </SimpleGrid>
      )}
    </>
  );
}

function Rules({ config, problems, onChange }: PartProps) {
  const { contract = {}, on_bad_row = "fail", max_rejected = 10_000, minimum_rows = 0 } = config;
  const loading = useLoading();
  const can = (ability: Loading["abilities"][number]) => loading?.abilities.includes(ability) ?? true;
  return (
    <Stack gap="sm">
      {can("quarantine") && <Select size="xs" label="A row that does not fit" allowDeselect={false} value={on_bad_row} error={problems.on_bad_row}
        data={[{ value: "fail", label: "fails the load" }, { value: "quarantine", label: "is put aside with its reason" }]} onChange={(value) => onChange({ ...config, on_bad_row: value as "fail" | "quarantine" })} />}
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <NumberInput size="xs" label="Rows put aside at most" description="More fail the load." min={1} allowDecimal={false} value={max_rejected} error={problems.max_rejected} onChange={(value) => onChange({ ...config, max_rejected: Number(value) || 1 })} />
        <NumberInput size="xs" label="Rows at least" description="Fewer fail the load." min={0} allowDecimal={false} value={minimum_rows} error={problems.minimum_rows} onChange={(value) => onChange({ ...config, minimum_rows: Number(value) || 0 })} />
      </SimpleGrid>
      {can("count") && <Switch size="xs" label="Count the rows at the source and in the table" description="For loads that read all rows; other numbers fail the run." checked={config.verify_count ?? false} error={problems.verify_count}
        onChange={(event) => onChange({ ...config, verify_count: event.currentTarget.checked })} />}
      {can("contract") && <Title order={3} size="h5">When the source changes</Title>}
      {can("contract") && PARTS.map(({ value, label }) => (
        <Select key={value} size="xs" label={label} data={RULES} allowDeselect={false} value={contract[value] ?? "evolve"} error={problems[`contract.${value}`]}
          onChange={(rule) => onChange({ ...config, contract: { ...contract, [value]: rule as ContractRule } })} />
      ))}
    </Stack>
  );
}
