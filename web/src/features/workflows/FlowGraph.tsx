import "@xyflow/react/dist/style.css";

import { useComputedColorScheme } from "@mantine/core";
import { Background, Controls, MarkerType, ReactFlow, useNodesState, type Connection, type Edge, type Node } from "@xyflow/react";
import { useEffect, useMemo } from "react";

import { $api } from "@/api/client";
import { changed } from "@/api/queries";
import type { Graph } from "@/api/types";
import { useMay } from "@/api/useMe";
import { ErrorAlert } from "@/components/ErrorAlert";
import { FlowNode, type FlowNodeData } from "./FlowNode";
import { layout } from "./layout";

const NODE_TYPES = { block: FlowNode };

interface Props {
  graph: Graph;
  states: Record<string, string | null>;
  selected: string;
  onSelect: (slug: string | null) => void;
}

function flowNodes({ graph, states, selected }: Omit<Props, "onSelect">): Node<FlowNodeData>[] {
  const places = layout(graph);
  return graph.nodes.map((node) => ({
    id: String(node.id),
    type: "block",
    position: places[node.id]!,
    selected: node.slug === selected,
    ariaLabel: `${node.kind} ${node.name}`,
    data: { node, state: states[node.slug] ?? null, problems: graph.problems.filter((problem) => problem.node === node.slug).length },
  }));
}

function flowEdges({ edges, derived_edges }: Graph): Edge[] {
  const marker = { markerEnd: { type: MarkerType.ArrowClosed } };
  const drawn = edges.map(({ id, upstream_id, downstream_id }) => ({ id: String(id), source: String(upstream_id), target: String(downstream_id), ...marker }));
  const known = new Set(drawn.map(({ source, target }) => `${source} ${target}`));
  const derived = derived_edges
    .map((edge) => ({ source: String(edge.upstream_id), target: String(edge.downstream_id) }))
    .filter(({ source, target }) => !known.has(`${source} ${target}`))
    .map((edge) => ({ id: `derived ${edge.source} ${edge.target}`, ...edge, ...marker, deletable: false, focusable: false, style: { strokeDasharray: "5 4" } }));
  return [...drawn, ...derived];
}

/** The workflow as a picture. Dashed edges come from ref() and source(); drawn ones can be removed. */
export function FlowGraph({ graph, states, selected, onSelect }: Props) {
  const scheme = useComputedColorScheme("light");
  const may = useMay()("workflows:write");
  const given = useMemo(() => flowNodes({ graph, states, selected }), [graph, states, selected]);
  const edges = useMemo(() => flowEdges(graph), [graph]);
  const [nodes, setNodes, onNodesChange] = useNodesState(given);
  useEffect(() => setNodes(given), [given, setNodes]);
  const after = { onSuccess: () => void changed.nodes() };
  const add = $api.useMutation("post", "/api/v1/edges", after);
  const remove = $api.useMutation("delete", "/api/v1/edges/{id}", after);
  const movePipeline = $api.useMutation("patch", "/api/v1/pipelines/{id}", after);
  const moveTransformation = $api.useMutation("patch", "/api/v1/transformations/{id}", after);

  const byId = (id: string | null) => graph.nodes.find((node) => String(node.id) === id);

  /** Ports are data of the service: an edge fits where the input takes what the output gives. */
  function fits({ source, target }: Connection | Edge): boolean {
    const [from, to] = [byId(source), byId(target)];
    return Boolean(from && to && from !== to && to.inputs.includes(from.output));
  }

  function moved({ data: { node }, position }: Node<FlowNodeData>) {
    const { x, y } = position;
    const move = node.kind === "pipeline" ? movePipeline : moveTransformation;
    move.mutate({ params: { path: { id: node.id }, header: { "If-Match": String(node.version) } }, body: { position: { x, y } } });
  }

  return (
    <>
      <ErrorAlert error={add.error ?? remove.error ?? movePipeline.error ?? moveTransformation.error} />
      <div style={{ height: "min(62vh, 560px)" }} data-testid="graph">
        <ReactFlow nodes={nodes} edges={edges} nodeTypes={NODE_TYPES} colorMode={scheme} fitView fitViewOptions={{ maxZoom: 1, minZoom: 0.5, padding: 0.15 }} minZoom={0.1}
          onNodesChange={onNodesChange} isValidConnection={fits} onNodeClick={(_, { data }) => onSelect(data.node.slug)} onPaneClick={() => onSelect(null)}
          onNodeDragStop={(_, node) => moved(node)} deleteKeyCode={may ? ["Delete", "Backspace"] : null} nodesDraggable={may} nodesConnectable={may}
          onConnect={({ source, target }) => add.mutate({ body: { upstream_id: Number(source), downstream_id: Number(target) } })}
          onBeforeDelete={async ({ edges: gone }) => (gone.forEach(({ id }) => remove.mutate({ params: { path: { id: Number(id) } } })), false)}>
          <Background gap={20} />
          <Controls showInteractive={false} />
        </ReactFlow>
      </div>
    </>
  );
}
