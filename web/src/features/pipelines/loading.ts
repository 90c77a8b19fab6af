/** What the destination of a pipeline can do, as the service's list of connectors says it. */
import { useQuery } from "@tanstack/react-query";
import { createContext, useContext } from "react";

import { connections, connectors } from "@/api/queries";
import type { Connection, Connector } from "@/api/types";

export type Loading = NonNullable<Connector["loading"]>;

/** Null while it is not known: then everything is offered, and the service has the last word. */
export const LoadingContext = createContext<Loading | null>(null);

export const useLoading = () => useContext(LoadingContext);

/** What is possible at a destination; none chosen means the managed warehouse. */
export function loadingOf(destination: string, known: Connection[], list: Connector[]): Loading | null {
  const chosen = known.find(({ id, managed }) => (destination ? String(id) === destination : managed));
  const connector = list.find(({ name }) => name === chosen?.connector);
  const special = connector?.loading_when.find(({ field, value }) => chosen?.config[field] === value);
  return special?.loading ?? connector?.loading ?? null;
}

export function useLoadingOf(destination: string) {
  const known = useQuery(connections());
  const list = useQuery(connectors());
  return loadingOf(destination, known.data?.items ?? [], list.data ?? []);
}

/** The choices that are possible, and the one that is set: a form hides no setting. */
export function offered<T extends { value: string }>(choices: T[], possible: readonly string[] | undefined, set?: string | null): T[] {
  return possible ? choices.filter(({ value }) => possible.includes(value) || value === set) : choices;
}
