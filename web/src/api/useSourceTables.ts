/** The tables of a source, searched and paged by the service. */
import { keepPreviousData, useMutation } from "@tanstack/react-query";

import { $api, client, invalidate } from "./client";
import type { SourceTable } from "./types";

export const SOURCE_PAGE = 100;
const MOST = 1000; // that the service gives at once

export interface SourceTables {
  tables: SourceTable[];
  /** All tables of the source are in `tables`: nothing is searched for and no page is missing. */
  whole: boolean;
  listedAt: string | undefined;
  more: (() => void) | undefined;
  loadingMore: boolean;
  /** Asks for every table that is found, however many pages that are. */
  takeAll: (then: (tables: SourceTable[]) => void) => void;
  takingAll: boolean;
  refresh: () => void;
  refreshing: boolean;
  error: unknown;
  loading: boolean;
}

export function useSourceTables(id: number, search: string, schema = ""): SourceTables {
  const asked = search.trim();
  const path = { id };
  const query = $api.useInfiniteQuery(
    "get",
    "/api/v1/connections/{id}/tables",
    { params: { path, query: { search: asked, schema: schema || undefined, limit: SOURCE_PAGE } } },
    {
      // The client's own default is a number, which is no cursor.
      initialPageParam: null,
      getNextPageParam: (last) => last.next_cursor,
      placeholderData: keepPreviousData,
      staleTime: 300_000,
      retry: false,
    },
  );
  const refresh = useMutation({
    mutationFn: () => client.GET("/api/v1/connections/{id}/tables", { params: { path, query: { limit: 1, refresh: true } } }),
    onSettled: () => invalidate("/api/v1/connections/{id}/schemas", "/api/v1/connections/{id}/tables", "/api/v1/connections/{id}/columns"),
  });
  const all = useMutation({ mutationFn: () => allTables(id, asked, schema || undefined) });
  const pages = query.data?.pages ?? [];
  return {
    tables: pages.flatMap(({ items }) => items),
    whole: query.isSuccess && !query.isPlaceholderData && !asked && !schema && !query.hasNextPage,
    listedAt: pages[0]?.listed_at,
    more: query.hasNextPage ? () => void query.fetchNextPage() : undefined,
    loadingMore: query.isFetchingNextPage,
    takeAll: (then) => all.mutate(undefined, { onSuccess: then }),
    takingAll: all.isPending,
    refresh: () => refresh.mutate(),
    refreshing: refresh.isPending || query.isRefetching,
    error: refresh.error ?? all.error ?? query.error,
    loading: query.isPending,
  };
}

async function allTables(id: number, search: string, schema: string | undefined): Promise<SourceTable[]> {
  const found: SourceTable[] = [];
  let cursor: string | undefined;
  do {
    const query = { search, schema, limit: MOST, cursor };
    const { data } = await client.GET("/api/v1/connections/{id}/tables", { params: { path: { id }, query } });
    found.push(...data!.items);
    cursor = data!.next_cursor ?? undefined;
  } while (cursor);
  return found;
}
