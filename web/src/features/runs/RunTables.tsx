import { Anchor, Table, Text } from "@mantine/core";
import { IconAlertTriangle, IconTable } from "@tabler/icons-react";
import { Link } from "react-router";

import type { RunResult } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { bytes } from "@/components/time";

const number = new Intl.NumberFormat("en");

interface Row {
  node: string;
  table: string;
  extracted?: number;
  normalized?: number;
  loaded?: number;
  rejected?: number;
  deleted?: number;
  restored?: number;
  sourceRows?: number | null;
  size?: number;
  newColumns: string[];
  replay?: boolean;
  final: boolean;
}

type LiveRows = Record<string, Record<string, Record<string, number>>>;

/** Final counts of nodes that are done, counts so far of those under way. */
export function tableRows(results: RunResult[], live: LiveRows): Row[] {
  const done = results.filter((result) => result.tables.length);
  const final: Row[] = done.flatMap(({ node, tables, replay }) =>
    tables.map(({ table, extracted, normalized, loaded, rejected, deleted, restored, source_rows, size_bytes, new_columns }) => ({
      node, replay, table, extracted, normalized, loaded, rejected, deleted, restored, sourceRows: source_rows, size: size_bytes, newColumns: new_columns ?? [], final: true,
    })),
  );
  const finished = new Set(done.map(({ node }) => node));
  const going = Object.entries(live).filter(([node]) => !finished.has(node));
  return [...final, ...going.flatMap(([node, stages]) => soFar(node, stages))];
}

function soFar(node: string, stages: Record<string, Record<string, number>>): Row[] {
  const tables = [...new Set(Object.values(stages).flatMap((rows) => Object.keys(rows)))].sort();
  return tables.map((table) => ({
    node, table, newColumns: [], final: false,
    extracted: stages.extract?.[table], normalized: stages.normalize?.[table], loaded: stages.load?.[table],
  }));
}

const count = (value: number | undefined) => (value === undefined ? "–" : number.format(value));

interface Props {
  results: RunResult[];
  live: LiveRows;
  going: boolean;
  /** Where the page of a node is. */
  pathOf?: (node: string) => string | undefined;
}

export function RunTables({ results, live, going, pathOf = () => undefined }: Props) {
  const rows = tableRows(results, live);
  if (!rows.length) {
    return <EmptyState icon={<IconTable aria-hidden />} title="No rows yet" text={going ? "Counts appear here as soon as the first load reads." : "This run loaded no table."} />;
  }
  return (
    <Table.ScrollContainer minWidth={680} type="native">
      <Table aria-label="Rows per table">
        <Table.Thead>
          <Table.Tr><Table.Th>Table</Table.Th><Table.Th>Pipeline</Table.Th><Table.Th className="number">Read</Table.Th><Table.Th className="number">Normalized</Table.Th><Table.Th className="number">Loaded</Table.Th><Table.Th className="number">Size</Table.Th><Table.Th>Notes</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={`${row.node} ${row.table}`} data-table={row.table}>
              <Table.Td fw={600}>{row.table}</Table.Td>
              <Table.Td>{pathOf(row.node) ? <Anchor component={Link} size="sm" to={pathOf(row.node)!}>{row.node}</Anchor> : row.node}</Table.Td>
              <Table.Td className="number">{count(row.extracted)}</Table.Td>
              <Table.Td className="number">{count(row.normalized)}</Table.Td>
              <Table.Td className="number" fw={600}>{count(row.loaded)}</Table.Td>
              <Table.Td className="number">{row.size ? bytes(row.size) : "–"}</Table.Td>
              <Table.Td><Notes row={row} path={pathOf(row.node)} /></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Notes({ row, path }: { row: Row; path: string | undefined }) {
  if (!row.final) return <Text size="sm" c="dimmed">so far</Text>;
  return (
    <>
      {row.replay && <Text size="sm">a replay: the rows read had been rejected</Text>}
      {row.loaded === 0 && <Text size="sm" className="nowrap"><IconAlertTriangle size={14} aria-hidden /> no new rows</Text>}
      {row.rejected ? <Text size="sm">{number.format(row.rejected)} rejected: {path ? <Anchor component={Link} to={`${path}?tab=rejected&table=${row.table}`}>see them, and why</Anchor> : `see ${row.table}__rejected`}</Text> : null}
      {row.deleted ? <Text size="sm">{number.format(row.deleted)} deleted: the source has them no longer</Text> : null}
      {row.restored ? <Text size="sm">{number.format(row.restored)} are back at the source</Text> : null}
      {typeof row.sourceRows === "number" && <Text size="sm">counted: the source has {number.format(row.sourceRows)} rows, and they are all here{row.rejected ? " or rejected" : ""}</Text>}
      {row.newColumns.length > 0 && <Text size="sm">new columns: {row.newColumns.join(", ")}</Text>}
    </>
  );
}
