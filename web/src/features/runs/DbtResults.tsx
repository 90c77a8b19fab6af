import { Button, Modal, Table, Text } from "@mantine/core";
import { IconSql } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import type { DbtResult, RunResult } from "@/api/types";
import { transformations } from "@/api/queries";
import { EmptyState } from "@/components/EmptyState";
import { FailedRows } from "@/components/FailedRows";
import { StateBadge } from "@/components/StateBadge";
import { duration } from "@/components/time";
import { useParam } from "@/components/useParam";

const ORDER = ["error", "fail", "warn", "skipped", "success", "pass"];
/** "model.org.stg_orders" → "stg_orders"; a test's hash at the end says nothing to people. */
const shortName = (uniqueId: string) => uniqueId.split(".").slice(2, 3).join(".");

/** What dbt did: problems first, each with the rows that a test found. */
export function DbtResults({ runId, results }: { runId: string; results: RunResult[] }) {
  const [shown, setShown] = useParam("failures");
  const nodes = useQuery(transformations());
  const rows = results
    .flatMap(({ node, dbt }) => dbt.map((entry) => ({ node, ...entry })))
    .sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || a.unique_id.localeCompare(b.unique_id));
  if (!rows.length) return <EmptyState icon={<IconSql aria-hidden />} title="No transformation has run yet" text="Results of models, snapshots and their tests appear here." />;
  const failuresOf = nodes.data?.items.find(({ slug }) => slug === shown);
  return (
    <>
      <Table.ScrollContainer minWidth={680} type="native">
        <Table aria-label="Transformations and tests">
          <Table.Thead>
            <Table.Tr><Table.Th>Result</Table.Th><Table.Th>What</Table.Th><Table.Th>Transformation</Table.Th><Table.Th>Message</Table.Th><Table.Th>Took</Table.Th></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.unique_id}>
                <Table.Td><StateBadge state={row.status} /></Table.Td>
                <Table.Td><Text size="sm" className="break">{shortName(row.unique_id)}</Text><Text size="xs" c="dimmed">{row.unique_id.split(".")[0]}</Text></Table.Td>
                <Table.Td>{row.node}</Table.Td>
                <Table.Td><Message result={row} onRows={() => setShown(row.node)} /></Table.Td>
                <Table.Td className="nowrap">{duration(row.seconds)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Modal opened={Boolean(shown)} onClose={() => setShown(null)} size="80%" title={`Rows that tests of ${shown} found`}>
        {failuresOf && <FailedRows transformationId={failuresOf.id} runId={runId} />}
      </Modal>
    </>
  );
}

function Message({ result, onRows }: { result: DbtResult; onRows: () => void }) {
  return (
    <>
      {result.message && <Text size="sm" className="break" style={{ whiteSpace: "pre-wrap" }}>{result.message}</Text>}
      {Boolean(result.failures) && <Button size="compact-xs" variant="default" onClick={onRows}>{result.failures === 1 ? "See the row" : `See the ${result.failures} rows`}</Button>}
    </>
  );
}
