import { Button, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { connection, inspection, uploads } from "@/api/queries";
import type { ResourceConfig } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";
import { withProposal } from "./functions";
import { sourceOf } from "./selection";

interface Props {
  sourceId: number;
  config: ResourceConfig;
  onChange: (config: ResourceConfig) => void;
}

/** For a CSV file, which has no types: takes over those that fit all of its values. */
export function FileProposal({ sourceId, config, onChange }: Props) {
  const source = useQuery(connection(sourceId));
  const files = useQuery({ ...uploads(), enabled: source.data?.connector === "csv" });
  const client = useQueryClient();
  const [state, setState] = useState<{ asking?: boolean; error?: unknown }>({});
  const ids = (source.data?.config.uploads as number[] | undefined) ?? [];
  const file = files.data?.items.find(({ id, filename }) => ids.includes(id) && filename === sourceOf(config));
  if (!file) return null;

  async function propose() {
    setState({ asking: true });
    try {
      const { columns } = await client.fetchQuery(inspection(file!.id));
      onChange({ ...config, columns: withProposal(config.columns ?? {}, columns) });
      notifications.show({ message: `The types of ${file!.filename} are proposed; save the pipeline to keep them.` });
      setState({});
    } catch (error) {
      setState({ error });
    }
  }

  return (
    <>
      <Button size="xs" variant="default" loading={state.asking} onClick={() => void propose()}>Propose types from the file</Button>
      <Text size="xs" c="dimmed" mt={4}>Reads the whole file once. A type is proposed where at least nine of ten values are of it.</Text>
      <ErrorAlert error={state.error} title="The file could not be inspected" />
    </>
  );
}
