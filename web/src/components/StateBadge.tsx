import { Badge } from "@mantine/core";
import {
  IconAlertTriangle, IconCheck, IconCircleDashed, IconClock, IconLoader2, IconPlayerSkipForward, IconRefresh, IconX,
} from "@tabler/icons-react";

const LOOKS: Record<string, [color: string, icon: typeof IconCheck, label?: string]> = {
  success: ["teal", IconCheck],
  pass: ["teal", IconCheck],
  connected: ["teal", IconCheck],
  pending: ["yellow", IconClock, "waits for approval"],
  approved: ["blue", IconCheck],
  rejected: ["red", IconX],
  applied: ["teal", IconCheck],
  superseded: ["gray", IconPlayerSkipForward],
  healthy: ["teal", IconCheck],
  unhealthy: ["red", IconX],
  verified: ["teal", IconCheck],
  unverified: ["yellow", IconAlertTriangle, "not verified"],
  failed: ["red", IconX],
  fail: ["red", IconX],
  error: ["red", IconX],
  upstream_failed: ["orange", IconAlertTriangle, "upstream failed"],
  warn: ["yellow", IconAlertTriangle, "warning"],
  running: ["blue", IconLoader2],
  queued: ["gray", IconClock],
  scheduled: ["gray", IconClock],
  up_for_retry: ["yellow", IconRefresh, "waits to retry"],
  restarting: ["yellow", IconRefresh],
  stopped: ["orange", IconAlertTriangle, "not begun"],
  skipped: ["gray", IconPlayerSkipForward],
  untested: ["gray", IconCircleDashed, "not tested"],
};

/** A state as icon, word and colour: never colour alone. */
export function StateBadge({ state, size = "md" }: { state: string | null | undefined; size?: string }) {
  const known = state ?? "not started";
  const [color, Icon, label] = LOOKS[known] ?? ["gray", IconCircleDashed];
  return (
    <Badge className={`state state-${color}`} variant="light" color={color} size={size} tt="none" data-state={known}
      leftSection={<Icon size={13} aria-hidden className={known === "running" ? "turning" : undefined} />}>
      {label ?? known.replaceAll("_", " ")}
    </Badge>
  );
}
