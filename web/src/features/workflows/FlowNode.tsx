import { Group, Text } from "@mantine/core";
import { IconCamera, IconSql, IconTransfer } from "@tabler/icons-react";
import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";

import type { GraphNode } from "@/api/types";
import { StateBadge } from "@/components/StateBadge";

export type FlowNodeData = { node: GraphNode; state: string | null; problems: number };

const LOOKS: Record<string, [color: string, icon: typeof IconSql, word: string]> = {
  pipeline: ["#2f7fd6", IconTransfer, "pipeline"],
  dbt_model: ["#25a18f", IconSql, "model"],
  dbt_snapshot: ["#a06bd0", IconCamera, "snapshot"],
};

export function FlowNode({ data, selected }: NodeProps<Node<FlowNodeData>>) {
  const { node, state, problems } = data;
  const [color, Icon, word] = LOOKS[node.kind] ?? ["#788", IconSql, node.kind];
  return (
    <div className={selected ? "node node-selected" : "node"} style={{ "--node-color": color } as React.CSSProperties}>
      {node.inputs.length > 0 && <Handle type="target" position={Position.Left} />}
      <Group gap={6} wrap="nowrap">
        <Icon size={16} aria-hidden />
        <Text size="sm" fw={600} truncate>{node.name}</Text>
      </Group>
      <Group gap={6} mt={4} justify="space-between" wrap="nowrap">
        <Text size="xs" c="dimmed" truncate>{word} → {node.dataset}</Text>
        {problems > 0 ? <StateBadge state="error" size="xs" /> : state && <StateBadge state={state} size="xs" />}
      </Group>
      <Handle type="source" position={Position.Right} />
    </div>
  );
}
