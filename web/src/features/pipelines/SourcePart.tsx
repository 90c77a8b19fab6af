import { Anchor, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { connections } from "@/api/queries";

/** Where the rows come from. A pipeline keeps its source. */
export function SourcePart({ source, fixed, error, onSource }: { source: string; fixed: boolean; error?: string; onSource: (id: string) => void }) {
  const found = useQuery(connections());
  const sources = (found.data?.items ?? []).filter(({ direction, managed }) => direction !== "destination" && !managed);
  return (
    <>
      <Select label="Source connection" required maw={420} readOnly={fixed} value={source || null} placeholder="Choose a connection" searchable error={error}
        data={sources.map((item) => ({ value: String(item.id), label: `${item.name} (${item.connector})` }))} onChange={(id) => onSource(id ?? "")} />
      {!fixed && <Anchor component={Link} to="/connections/new" size="sm" mt="xs" display="inline-block">Make a new connection</Anchor>}
    </>
  );
}
