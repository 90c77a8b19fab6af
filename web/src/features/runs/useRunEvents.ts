import { useEffect, useState } from "react";

import { invalidate } from "@/api/client";
import { follow } from "@/api/stream";
import type { ServerEvent } from "@/api/sse";
import { runApiPath } from "@/components/paths";

export interface LiveTask {
  state: string | null;
  try_number: number;
  start_date: string | null;
  end_date: string | null;
}

export interface LiveRun {
  state: string | null;
  tasks: Record<string, LiveTask>;
  /** Rows so far: node → stage → table → count. */
  rows: Record<string, Record<string, Record<string, number>>>;
  connected: boolean;
  ended: boolean;
}

const NOTHING: LiveRun = { state: null, tasks: {}, rows: {}, connected: false, ended: false };

/** What one event changes. */
export function apply(live: LiveRun, { event, data }: Pick<ServerEvent, "event" | "data">): LiveRun {
  const body = JSON.parse(data);
  switch (event) {
    case "state":
      return { ...live, state: body.state ?? live.state, tasks: { ...live.tasks, ...body.tasks } };
    case "progress": {
      const node = { ...live.rows[body.node], [body.stage]: { ...live.rows[body.node]?.[body.stage], ...body.rows } };
      return { ...live, rows: { ...live.rows, [body.node]: node } };
    }
    case "end":
      return { ...live, state: body.state ?? live.state, ended: true };
    default:
      return live;
  }
}

/** Follows a run as it goes; states and results that arrive make the page's queries read again. */
export function useRunEvents(dagId: string, runId: string): LiveRun & { error: unknown } {
  const [live, setLive] = useState(NOTHING);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const abort = new AbortController();
    const path = runApiPath({ dag_id: dagId, run_id: runId });
    follow(`${path}/events`, {
      signal: abort.signal,
      onConnected: (connected) => setLive((before) => ({ ...before, connected })),
      onEvent: (event) => {
        setLive((before) => apply(before, event));
        if (event.event !== "progress") void invalidate("/api/v1/runs/{dag_id}/{run_id}");
        return event.event === "end";
      },
    }).catch(setError);
    return () => abort.abort();
  }, [dagId, runId]);
  return { ...live, error };
}
