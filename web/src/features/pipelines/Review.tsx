import { Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";

import { connections, workflows } from "@/api/queries";
import type { ResourceConfig } from "@/api/types";
import { BATCH_SIZE, type Draft } from "./draft";
import { KeyCheck } from "./KeyCheck";
import { settings } from "./selection";
import { POLICIES } from "./ways";

const SHOWN = 20;
const MODES = { resources: "The chosen tables", single_table: "One table", full_database: "The whole source" };

/** What will be saved, in words, and keys that are none. */
export function Review({ draft }: { draft: Draft }) {
  const found = useQuery(connections());
  const flows = useQuery(workflows());
  const named = (id: string) => found.data?.items.find((item) => String(item.id) === id)?.name ?? "";
  const chosen = Object.entries(draft.selection);
  const keyed = chosen.filter(([, config]) => config.primary_key.length && ["merge", "insert"].includes(config.write_disposition) && config.merge_strategy !== "scd2");
  const { mode, table_names = [], batch_size = BATCH_SIZE, schema_changes = "apply" } = draft.rest;
  const facts: [string, string][] = [
    ["Pipeline", draft.name],
    ["Workflow", flows.data?.items.find((flow) => String(flow.id) === draft.workflow)?.name ?? ""],
    ["From", named(draft.source)],
    ["To", `${draft.destination ? named(draft.destination) : "the managed warehouse"}, dataset ${draft.dataset}`],
    ["Loads", mode === "full_database" && table_names.length ? `${table_names.length.toLocaleString("en")} tables by name` : MODES[mode]],
    ["Rows in memory at once", batch_size.toLocaleString("en")],
    ["When the source has changed", POLICIES.find(({ value }) => value === schema_changes)?.label ?? schema_changes],
  ];
  return (
    <Stack>
      <Table aria-label="The pipeline" fz="sm" maw={720}>
        <Table.Tbody>{facts.map(([name, value]) => <Table.Tr key={name}><Table.Th scope="row">{name}</Table.Th><Table.Td className="break">{value}</Table.Td></Table.Tr>)}</Table.Tbody>
      </Table>
      <KeyChecks sourceId={Number(draft.source)} configs={keyed.slice(0, SHOWN).map(([, config]) => config)} />
      {keyed.length > SHOWN && <Text size="sm" c="dimmed">Only the keys of the first {SHOWN} resources are looked at here; the settings of a resource look at its own.</Text>}
      {chosen.length > 0 && (
        <Table.ScrollContainer minWidth={620} type="native">
          <Table aria-label="Resources to load" fz="sm">
            <Table.Thead><Table.Tr><Table.Th>Resource</Table.Th><Table.Th>Table</Table.Th><Table.Th>Load</Table.Th><Table.Th>Key</Table.Th><Table.Th>Cursor</Table.Th><Table.Th>Settings</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {chosen.slice(0, SHOWN).map(([name, config]) => (
                <Table.Tr key={name}>
                  <Table.Td className="break">{name}</Table.Td><Table.Td className="break">{config.name}</Table.Td>
                  <Table.Td>{[config.write_disposition, config.merge_strategy].filter(Boolean).join(", ")}</Table.Td>
                  <Table.Td className="break">{config.primary_key.join(", ") || "none"}</Table.Td><Table.Td className="break">{config.cursor?.column ?? "none"}</Table.Td>
                  <Table.Td>{settings(config).join(", ") || "none"}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {chosen.length > SHOWN && <Text size="sm" c="dimmed">and {(chosen.length - SHOWN).toLocaleString("en")} more</Text>}
    </Stack>
  );
}

/** One key after the other: each reads rows of the source, and saving must not wait behind them. */
function KeyChecks({ sourceId, configs }: { sourceId: number; configs: ResourceConfig[] }) {
  const [settled, setSettled] = useState(0);
  const next = useCallback(() => setSettled((before) => before + 1), []);
  return configs.slice(0, settled + 1).map((config) => <KeyCheck key={config.name} sourceId={sourceId} config={config} quiet onSettled={next} />);
}
