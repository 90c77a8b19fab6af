import { Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { failures } from "@/api/queries";
import { DataRows } from "./DataRows";
import { Loaded } from "./Loaded";

/** The rows that the tests of a transformation found. */
export function FailedRows({ transformationId, runId }: { transformationId: number; runId?: string }) {
  const query = useQuery(failures(transformationId, runId));
  return (
    <Loaded query={query}>
      {({ items }) =>
        items.length ? (
          <Stack>
            {items.map((item) => (
              <div key={item.test}>
                <Text fw={600} size="sm" mb="xs" className="break">{item.test}</Text>
                <Text size="sm" mb="xs">{item.failures} {item.failures === 1 ? "row" : "rows"}, as {item.status}{item.message ? `: ${item.message}` : ""}</Text>
                {item.rows ? (
                  <DataRows label={`Rows that ${item.test} found`} columns={item.rows.columns.map(({ name }) => name)} rows={item.rows.rows} />
                ) : (
                  <Text size="sm" c="dimmed">The rows are gone: a later run replaced them.</Text>
                )}
              </div>
            ))}
          </Stack>
        ) : (
          <Text size="sm" c="dimmed">No test has found rows.</Text>
        )
      }
    </Loaded>
  );
}
