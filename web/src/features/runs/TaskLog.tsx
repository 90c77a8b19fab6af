import { Button, Group, Select, Text } from "@mantine/core";
import { IconArrowDown } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";

import { client } from "@/api/client";
import type { LogLine, RunDetail } from "@/api/types";
import { Loaded } from "@/components/Loaded";
import { useParam } from "@/components/useParam";

const POLL_MS = 2_000;
/** Airflow folds groups of lines; here their titles stay and the closing marks go. */
const isShown = ({ event }: LogLine) => !event.startsWith("::endgroup::");
const isError = ({ level }: LogLine) => level === "error" || level === "critical";

/** The log of one try of one task; while the run goes, new lines come by themselves. */
export function TaskLog({ run, task, going, onTask }: {
  run: RunDetail;
  task: string;
  going: boolean;
  onTask: (task: string | null) => void;
}) {
  const failed = run.tasks.find(({ state }) => state === "failed") ?? run.tasks.find(({ start_date }) => start_date);
  const chosen = run.tasks.find(({ task_id }) => task_id === task) ?? failed;
  const [attempt, setAttempt] = useParam("try");
  const tries = Array.from({ length: chosen?.try_number ?? 0 }, (_, index) => String(index + 1));
  return (
    <>
      <Group p="md" gap="sm">
        <Select aria-label="Task" data={run.tasks.map(({ task_id }) => task_id)} value={chosen?.task_id ?? null} onChange={onTask} searchable w={280} />
        <Select aria-label="Try" data={tries.map((value) => ({ value, label: `Try ${value}` }))} value={attempt || (tries.at(-1) ?? null)} onChange={setAttempt} w={110} />
      </Group>
      {chosen && tries.length ? (
        <Lines key={`${chosen.task_id} ${attempt}`} run={run} taskId={chosen.task_id} going={going} attempt={Number(attempt) || chosen.try_number} />
      ) : (
        <Text c="dimmed" size="sm" p="md">This task has not started, so it has no log.</Text>
      )}
    </>
  );
}

function Lines({ run, taskId, attempt, going }: { run: RunDetail; taskId: string; attempt: number; going: boolean }) {
  const firstError = useRef<HTMLDivElement>(null);
  const query = useInfiniteQuery({
    queryKey: ["log", run.dag_id, run.run_id, taskId, attempt],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await client.GET("/api/v1/runs/{dag_id}/{run_id}/tasks/{task_id}/logs", {
        signal,
        params: {
          path: { dag_id: run.dag_id, run_id: run.run_id, task_id: taskId },
          query: { try_number: attempt, continuation: pageParam },
        },
      });
      return data!;
    },
    getNextPageParam: (page) => page.continuation ?? undefined,
    refetchInterval: going ? POLL_MS : false,
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !going) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, going]);
  const lines = useMemo(() => query.data?.pages.flatMap((page) => page.lines).filter(isShown) ?? [], [query.data]);
  const errorAt = lines.findIndex(isError);

  return (
    <Loaded query={query}>
      {() => (
        <>
          {errorAt >= 0 && (
            <Button mx="md" mb="xs" size="xs" variant="default" leftSection={<IconArrowDown size={14} aria-hidden />} onClick={() => firstError.current?.scrollIntoView({ block: "center" })}>
              Jump to the first error
            </Button>
          )}
          <div className="log mono" tabIndex={0} role="log" aria-label={`Log of ${taskId}`}>
            {lines.map((line, index) => (
              <div key={index} ref={index === errorAt ? firstError : undefined} className={isError(line) ? "log-line log-error" : "log-line"}>
                <span className="log-time">{line.timestamp?.slice(11, 19)}</span> <span className="log-level">{line.level ?? ""}</span> {line.event.replace(/^::group::/, "▸ ")}
              </div>
            ))}
            {!lines.length && "No lines yet."}
          </div>
        </>
      )}
    </Loaded>
  );
}
