import { Table, Text } from "@mantine/core";

import type { Profile } from "@/api/types";
import { keyFinding, shown } from "./findings";

/** Whether a key tells rows apart, and the values that several of them share. */
export function KeyFinding({ profile: { key, complete } }: { profile: Profile }) {
  if (!key) return <Text size="sm">No single column tells the rows apart; try several together.</Text>;
  return (
    <div role="status">
      <Text size="sm">{keyFinding(key, complete)}</Text>
      {key.examples.length > 0 && (
        <Table fz="sm" mt="xs" aria-label="Values that several rows share">
          <Table.Thead><Table.Tr>{key.columns.map((name) => <Table.Th key={name}>{name}</Table.Th>)}<Table.Th className="number">Rows</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {key.examples.map(({ values, rows }, index) => (
              <Table.Tr key={index}>{values.map((value, at) => <Table.Td key={at} className="cell">{shown(value)}</Table.Td>)}<Table.Td className="number">{rows.toLocaleString("en")}</Table.Td></Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </div>
  );
}
