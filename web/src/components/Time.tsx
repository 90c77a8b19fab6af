import { Text, Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";

import { absolute, age, duration } from "./time";

const REFRESH_MS = 10_000;
const FRESH_MS = 1_000;

// One clock for all times: what is seen together has been looked at together.
const watching = new Set<() => void>();
let now = new Date();
let timer: number | undefined;

function tick() {
  now = new Date();
  watching.forEach((changed) => changed());
}

function watch(changed: () => void) {
  watching.add(changed);
  timer ??= window.setInterval(tick, REFRESH_MS);
  if (Date.now() - now.getTime() > FRESH_MS) tick();
  return () => {
    watching.delete(changed);
    if (!watching.size) {
      window.clearInterval(timer);
      timer = undefined;
    }
  };
}

const useNow = () => useSyncExternalStore(watch, () => now);

/** A time with its zone, and how long ago it was. */
export function TimeAgo({ value, compact = false }: { value: string | null | undefined; compact?: boolean }) {
  const now = useNow();
  if (!value) return <Text span c="dimmed" size="sm">–</Text>;
  const time = new Date(value);
  if (compact) {
    return (
      <Tooltip label={absolute(time)}>
        <Text span size="sm" className="nowrap">
          <time dateTime={value}>{age(time, now)}</time>
        </Text>
      </Tooltip>
    );
  }
  return (
    <Text span size="sm">
      <time dateTime={value} className="nowrap">{absolute(time)}</time>{" "}
      <Text span size="sm" c="dimmed" className="nowrap">({age(time, now)})</Text>
    </Text>
  );
}

/** How long something took, or has taken so far. */
export function Duration({ start, end }: { start?: string | null; end?: string | null }) {
  const now = useNow();
  if (!start) return <Text span c="dimmed" size="sm">–</Text>;
  const until = end ? new Date(end) : now;
  const seconds = Math.max(0, (until.getTime() - new Date(start).getTime()) / 1000);
  return <Text span size="sm" className="nowrap">{duration(seconds)}{end ? "" : " so far"}</Text>;
}
