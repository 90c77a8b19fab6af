import { describe, expect, it } from "vitest";

import { apply, type LiveRun } from "./useRunEvents";

const empty: LiveRun = { state: null, tasks: {}, rows: {}, connected: true, ended: false };
const event = (kind: string, body: unknown) => ({ event: kind, data: JSON.stringify(body) });

describe("apply", () => {
  it("keeps the states of tasks", () => {
    const task = { state: "running", try_number: 1, start_date: null, end_date: null };
    const live = apply(empty, event("state", { state: "running", tasks: { flights: task } }));
    expect(live).toMatchObject({ state: "running", tasks: { flights: task } });
  });

  it("keeps rows apart by node and stage, newest last", () => {
    let live = apply(empty, event("progress", { node: "a", stage: "extract", rows: { t: 1 } }));
    live = apply(live, event("progress", { node: "a", stage: "extract", rows: { t: 5, u: 2 } }));
    live = apply(live, event("progress", { node: "a", stage: "load", rows: { t: 4 } }));
    live = apply(live, event("progress", { node: "b", stage: "load", rows: { t: 9 } }));
    expect(live.rows).toEqual({ a: { extract: { t: 5, u: 2 }, load: { t: 4 } }, b: { load: { t: 9 } } });
  });

  it("knows the end", () => {
    expect(apply(empty, event("end", { state: "success" }))).toMatchObject({ state: "success", ended: true });
  });
});
