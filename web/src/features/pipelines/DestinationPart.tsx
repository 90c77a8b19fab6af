import { Select, SimpleGrid, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { connections, workflows } from "@/api/queries";
import type { Draft } from "./draft";
import { useLoadingOf } from "./loading";

interface Props {
  draft: Draft;
  /** A pipeline stays in its workflow. */
  fixed: boolean;
  errors: Record<string, string>;
  onChange: (part: Partial<Draft>) => void;
}

/** What the pipeline is called, and where its tables land. */
export function DestinationPart({ draft, fixed, errors, onChange }: Props) {
  const flows = useQuery(workflows());
  const found = useQuery(connections());
  const destinations = (found.data?.items ?? []).filter(({ direction, managed }) => direction !== "source" && !managed);
  const loading = useLoadingOf(draft.destination);
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }}>
      <TextInput label="Pipeline name" required value={draft.name} error={errors.name} onChange={(event) => onChange({ name: event.currentTarget.value })} />
      <Select label="Workflow" required allowDeselect={false} readOnly={fixed} value={draft.workflow || null} error={errors.workflow_id}
        data={(flows.data?.items ?? []).map((item) => ({ value: String(item.id), label: item.name }))} onChange={(workflow) => onChange({ workflow: workflow ?? "" })} />
      <Select label="Destination" description={loading ? `Rows arrive ${loading.guarantee}.` : undefined} inputWrapperOrder={["label", "input", "description", "error"]} allowDeselect={false} value={draft.destination} error={errors.destination_connection_id}
        data={[{ value: "", label: "The managed warehouse" }, ...destinations.map((item) => ({ value: String(item.id), label: `${item.name} (${item.connector})` }))]}
        onChange={(destination) => onChange({ destination: destination ?? "" })} />
      <TextInput label="Dataset" required description="The schema at the destination." inputWrapperOrder={["label", "input", "description", "error"]}
        value={draft.dataset} error={errors.dataset} onChange={(event) => onChange({ dataset: event.currentTarget.value })} />
    </SimpleGrid>
  );
}
