/** Addresses that more than one feature links to. */

interface RunKey {
  dag_id: string;
  run_id: string;
}

export const runPath = ({ dag_id, run_id }: RunKey) => `/runs/${encodeURIComponent(dag_id)}/${encodeURIComponent(run_id)}`;

export const runApiPath = (key: RunKey) => `/api/v1${runPath(key)}`;

export const nodePath = (node: { id: number; kind: string }) =>
  `/${node.kind === "pipeline" ? "pipelines" : "transformations"}/${node.id}`;
