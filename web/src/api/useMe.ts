/** Who is signed in, and what the role allows. */
import { useSuspenseQuery } from "@tanstack/react-query";

import { me } from "./queries";
import type { Me, Permission } from "./types";

export function useMe(): Me {
  return useSuspenseQuery(me()).data;
}

/** `may("pipelines:write")`: the one question that decides what a page offers. */
export function useMay(): (permission: Permission) => boolean {
  const { permissions } = useMe();
  return (permission) => permissions.includes(permission);
}
