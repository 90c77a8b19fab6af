import { Text, Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";

import { absolute, age, duration } from "./time";

const REFRESH_MS = 10_000;

function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

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
