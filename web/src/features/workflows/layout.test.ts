import { describe, expect, it } from "vitest";

import type { GraphNode } from "@/api/types";
import { layout, NODE_HEIGHT } from "./layout";

const node = (id: number, position: GraphNode["position"] = null): GraphNode => ({
  id, position, slug: `n${id}`, name: `n${id}`, kind: "dbt_model", dataset: "d", inputs: ["TABLE"], output: "TABLE", version: 1,
});
const edge = (upstream_id: number, downstream_id: number) => ({ upstream_id, downstream_id });

describe("layout", () => {
  it("puts what is downstream further right, derived edges included", () => {
    const places = layout({ nodes: [node(1), node(2), node(3)], edges: [{ id: 9, ...edge(1, 2) }], derived_edges: [edge(2, 3)] });
    expect(places[1]!.x).toBeLessThan(places[2]!.x);
    expect(places[2]!.x).toBeLessThan(places[3]!.x);
  });

  it("keeps nodes of one rank apart", () => {
    const places = layout({ nodes: [node(1), node(2), node(3)], edges: [], derived_edges: [edge(1, 2), edge(1, 3)] });
    expect(Math.abs(places[2]!.y - places[3]!.y)).toBeGreaterThanOrEqual(NODE_HEIGHT);
  });

  it("leaves a node where the user put it", () => {
    expect(layout({ nodes: [node(1, { x: 7, y: -3 })], edges: [], derived_edges: [] })[1]).toEqual({ x: 7, y: -3 });
  });
});
