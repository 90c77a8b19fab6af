import { Badge, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconLink } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { auditState } from "@/api/queries";

/** Whether the chain of entries is whole: each one carries a keyed hash of the one before. */
export function ChainState() {
  const { data, error } = useQuery(auditState());
  if (error) return <Badge className="state state-yellow" variant="light" tt="none">not checked</Badge>;
  if (!data) return <Badge className="state state-gray" variant="light" tt="none">being checked</Badge>;
  return data.intact ? (
    <Tooltip label={`${data.entries} entries, each bound to the one before it by a keyed hash`}>
      <Badge className="state state-teal" variant="light" tt="none" tabIndex={0} leftSection={<IconLink size={13} aria-hidden />}>{data.entries} entries, chain intact</Badge>
    </Tooltip>
  ) : (
    <Badge className="state state-red" variant="light" tt="none" leftSection={<IconAlertTriangle size={13} aria-hidden />}>chain broken: {data.problem}</Badge>
  );
}
