import { Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { members } from "@/api/queries";
import type { StateVersion } from "@/api/types";
import { runPath } from "@/components/paths";

const DONE = { reset: "reset", set: "set", restore: "gone back" } as const;

/** What left a version of the state: a run, or somebody's change. */
export function VersionSource({ version: { run, change } }: { version: StateVersion }) {
  const people = useQuery({ ...members(), enabled: change !== null });
  if (run) return <Anchor component={Link} to={runPath(run)} size="sm" className="break">{run.run_id}</Anchor>;
  if (!change) return <Text size="sm" c="dimmed">a run that gave no report</Text>;
  const person = people.data?.items.find(({ user_id }) => user_id === change.user_id);
  return <Text size="sm">{change.resource ?? "all tables"} {DONE[change.action]} by {person?.name ?? "somebody"}</Text>;
}
