import { Badge, VisuallyHidden } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { pendingChanges } from "@/api/queries";

/** How many changes wait for approval; nothing where none does. */
export function PendingChanges() {
  const { data } = useQuery(pendingChanges());
  if (!data?.items.length) return null;
  return (
    <Badge className="state-yellow" size="sm" variant="light">
      {data.items.length}{data.next_cursor ? "+" : ""}<VisuallyHidden> waiting for approval</VisuallyHidden>
    </Badge>
  );
}
