/** The preview of a resource while somebody edits it: asked when the typing pauses. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/errors";
import { draftPreview } from "@/api/queries";
import type { ResourceConfig } from "@/api/types";
import { tryable } from "./drafts";

const PAUSE_MS = 700;

export function useDraftPreview(sourceId: number, config: ResourceConfig, enabled: boolean) {
  const [settled] = useDebouncedValue(config, PAUSE_MS);
  const query = useQuery({ ...draftPreview(sourceId, tryable(settled)), enabled, placeholderData: keepPreviousData });
  return { found: query.data, error: query.error ? asApiError(query.error) : null, fetching: query.isFetching || settled !== config };
}
