import { Button, List, Text } from "@mantine/core";
import { useState } from "react";

import type { ColumnChange } from "@/api/types";
import { told } from "./told";

const SHOWN = 12;
const COLORS = { "+": "state-teal", "−": "state-red", "~": "state-yellow" };

/** What changed in one table: added, gone, of another type, and what a load does with it. */
export function ChangeDiff({ table, changes }: { table: string; changes: ColumnChange[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? changes : changes.slice(0, SHOWN);
  return (
    <>
      <List size="sm" listStyleType="none" aria-label={`Changes of ${table}`} spacing={4}>
        {shown.map((change) => {
          const { sign, what, effect } = told(change);
          return (
            <List.Item key={`${change.kind} ${change.column}`}>
              <Text span size="sm" fw={700} className={`mono ${COLORS[sign]}`} px={5} mr={6} style={{ borderRadius: 4 }} aria-hidden>{sign}</Text>
              {change.column && <Text span size="sm" fw={600} className="mono break">{change.column} </Text>}
              <Text span size="sm" className="break">{what}</Text>
              <Text span size="sm" c="dimmed" className="break">; {effect}</Text>
            </List.Item>
          );
        })}
      </List>
      {shown.length < changes.length && <Button variant="subtle" size="compact-xs" mt={4} onClick={() => setAll(true)}>Show {changes.length - shown.length} more</Button>}
    </>
  );
}
