import { Alert, List } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { drift } from "@/api/queries";
import { ErrorAlert } from "@/components/ErrorAlert";
import { changes } from "./inspected";

/** What a newer version of a file changes, before the connection is saved with it. */
export function FileDrift({ connectionId, uploadId }: { connectionId: number; uploadId: number }) {
  const { data, error } = useQuery(drift(connectionId, uploadId));
  if (!data) return <ErrorAlert error={error} title="The newer version could not be compared" />;
  const found = changes(data);
  const broken = data.broken.length > 0;
  const title = found.length ? `The header of ${data.filename} has changed` : `${data.filename} has the same columns as before`;
  return (
    <Alert mt="xs" color={broken ? "red" : found.length ? "yellow" : "green"} variant="light" role="status" title={title} styles={{ message: { color: "var(--mantine-color-text)" } }}>
      <List size="sm">
        {found.map((words) => <List.Item key={words}>{words}</List.Item>)}
        {data.broken.map(({ pipeline, resource, columns }) => (
          <List.Item key={`${pipeline} ${resource}`}>Pipeline "{pipeline}", table {resource}, will fail: it names {columns.join(", ")}. Change the mapping, or the header of the file.</List.Item>
        ))}
      </List>
    </Alert>
  );
}
