import { useQuery } from "@tanstack/react-query";

import { client } from "@/api/client";
import { DataRows } from "@/components/DataRows";
import { Loaded } from "@/components/Loaded";

/** The first rows of the saved transformation, as the organization's own role sees them. */
export function Preview({ id, version }: { id: number; version: number }) {
  const query = useQuery({
    queryKey: ["preview", id, version],
    retry: false,
    queryFn: async ({ signal }) => {
      const { data } = await client.POST("/api/v1/transformations/{id}/preview", { signal, params: { path: { id } }, body: { limit: 100 } });
      return data!;
    },
  });
  return (
    <Loaded query={query}>
      {({ columns, rows }) => <DataRows label="Preview" columns={columns.map(({ name }) => name)} rows={rows} />}
    </Loaded>
  );
}
