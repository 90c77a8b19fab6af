import { expect, it } from "vitest";

import { nodeStates } from "./useNodeStates";

it("shows of a node's tasks the state that matters most", () => {
  const task = (node: string | null, state: string | null) => ({ node, state });
  expect(nodeStates([task("a", "success"), task("a", "failed"), task("b", "success"), task("b", "running"), task(null, "failed"), task("c", null)])).toEqual({ a: "failed", b: "running" });
});
