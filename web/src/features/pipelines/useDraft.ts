import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { connections, workflows } from "@/api/queries";
import type { Pipeline } from "@/api/types";
import { configOf, draftOf, type Draft } from "./draft";

/** A draft, its workflow filled in where there is one, and what is sent to save it. */
export function useDraft(pipeline?: Pipeline, source?: string) {
  const flows = useQuery(workflows());
  const found = useQuery(connections());
  const managed = found.data?.items.find((item) => item.managed)?.id;
  const [edited, setEdited] = useState<Partial<Draft>>({});
  const stored = draftOf(pipeline, managed);
  const draft = { ...stored, ...(source && { source }), ...edited };
  draft.workflow ||= String(flows.data?.items[0]?.id ?? "");
  return {
    draft,
    change: (part: Partial<Draft>) => setEdited((before) => ({ ...before, ...part })),
    body: () => ({
      workflow_id: Number(draft.workflow),
      name: draft.name.trim(),
      source_connection_id: Number(draft.source),
      destination_connection_id: draft.destination ? Number(draft.destination) : null,
      dataset: draft.dataset,
      config: configOf(draft),
    }),
  };
}

export type PipelineBody = ReturnType<ReturnType<typeof useDraft>["body"]>;
