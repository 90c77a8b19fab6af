/** Where nodes stand: as the user put them, else left to right in the order data flows. */
import dagre from "@dagrejs/dagre";

import type { Graph } from "@/api/types";

export const NODE_WIDTH = 220;
export const NODE_HEIGHT = 64;

export interface Point {
  x: number;
  y: number;
}

/** A position for every node, by id. */
export function layout(graph: Pick<Graph, "nodes" | "edges" | "derived_edges">): Record<number, Point> {
  const drawing = new dagre.graphlib.Graph();
  drawing.setGraph({ rankdir: "LR", nodesep: 28, edgesep: NODE_HEIGHT, ranksep: 80 });
  drawing.setDefaultEdgeLabel(() => ({}));
  for (const { id } of graph.nodes) drawing.setNode(String(id), { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const { upstream_id, downstream_id } of [...graph.edges, ...graph.derived_edges]) {
    drawing.setEdge(String(upstream_id), String(downstream_id));
  }
  dagre.layout(drawing);
  return Object.fromEntries(
    graph.nodes.map(({ id, position }) => {
      if (position) return [id, { x: position.x ?? 0, y: position.y ?? 0 }];
      const { x, y } = drawing.node(String(id));
      return [id, { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 }];
    }),
  );
}
