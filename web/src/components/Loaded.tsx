import { Skeleton, Stack } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { ErrorAlert } from "./ErrorAlert";

/** Grey bars where something is under way. */
export function LoadingBars({ lines = 4 }: { lines?: number }) {
  return (
    <Stack gap="xs" p="md" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => <Skeleton key={index} height={18} />)}
    </Stack>
  );
}

/** Shows a query's data, its error with a way on, or grey bars while it is under way. */
export function Loaded<T>({ query, children, lines = 4 }: {
  query: Pick<UseQueryResult<T, unknown>, "data" | "error" | "refetch">;
  children: (data: T) => ReactNode;
  lines?: number;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <ErrorAlert error={query.error} retry={() => void query.refetch()} />;
  return <LoadingBars lines={lines} />;
}
