import { useQuery } from "@tanstack/react-query";

import { run, runs } from "@/api/queries";
import type { Run, RunTask } from "@/api/types";

const POLL_MS = 2_000;
const WORST = ["failed", "upstream_failed", "up_for_retry", "running", "queued", "scheduled", "success", "skipped"];
const isGoing = (state: string | undefined) => state === "running" || state === "queued";

/** One state per node: of its tasks the one that matters most. */
export function nodeStates(tasks: Pick<RunTask, "node" | "state">[]): Record<string, string | null> {
  const states: Record<string, string | null> = {};
  for (const { node, state } of tasks) {
    if (!node || !state) continue;
    const known = states[node];
    if (!known || WORST.indexOf(state) < WORST.indexOf(known)) states[node] = state;
  }
  return states;
}

/** The newest run of a workflow and the states of its nodes, read again while it goes. */
export function useNodeStates(workflowId: number): { latest: Run | undefined; states: Record<string, string | null>; error: unknown } {
  const list = useQuery({ ...runs({ workflow_id: workflowId, limit: 1 }), refetchInterval: POLL_MS * 2 });
  const latest = list.data?.items[0];
  const detail = useQuery({
    ...run(latest?.dag_id ?? "", latest?.run_id ?? ""),
    enabled: Boolean(latest),
    refetchInterval: isGoing(latest?.state) ? POLL_MS : false,
  });
  return { latest: detail.data ?? latest, states: nodeStates(detail.data?.tasks ?? []), error: list.error };
}
