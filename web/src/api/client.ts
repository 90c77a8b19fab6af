/** The one typed client: bearer token, one silent renewal on 401, errors as ApiError. */
import { QueryClient } from "@tanstack/react-query";
import createFetchClient, { type Middleware } from "openapi-fetch";
import createQueryHooks from "openapi-react-query";

import { ApiError } from "./errors";
import type { paths } from "./schema";
import { session, WEB_HEADERS } from "./session";

/** What begins or ends a session says 401 for reasons that a renewal cannot mend. */
const SIGN_IN = "/api/v1/auth/";

/** fetch with the session's token; a 401 renews the session once and asks again. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const signIn = new URL(request.url).pathname.startsWith(SIGN_IN);
  const again = signIn ? null : request.clone();
  const asked = session.organization();
  const response = await fetch(withToken(request));
  if (response.status !== 401 || !again) return response;
  if (!(await session.refresh())) return response;
  // Another tab has gone over to another organization: what was meant for this one is not done in that.
  if (asked && asked !== session.organization() && request.method !== "GET") return response;
  return fetch(withToken(again));
}

function withToken(request: Request): Request {
  const token = session.token();
  if (token) request.headers.set("Authorization", `Bearer ${token}`);
  for (const [name, value] of Object.entries(WEB_HEADERS)) request.headers.set(name, value);
  return request;
}

const throwErrors: Middleware = {
  async onResponse({ response }) {
    // The role is another one than this page thinks.
    if (response.status === 403) void invalidate("/api/v1/me");
    if (!response.ok) throw await ApiError.from(response);
  },
};

export const client = createFetchClient<paths>({
  baseUrl: window.location.origin,
  fetch: authorizedFetch,
});
client.use(throwErrors);

export const $api = createQueryHooks(client);

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (count, error) => !(error instanceof ApiError && error.status < 500) && count < 2,
      throwOnError: false,
    },
  },
});

/** Marks everything that was read below these paths as out of date. */
export function invalidate(...prefixes: string[]) {
  return queryClient.invalidateQueries({
    predicate: ({ queryKey }) =>
      typeof queryKey[1] === "string" && prefixes.some((p) => (queryKey[1] as string).startsWith(p)),
  });
}

let shownOrganization = session.organization();
session.subscribe(() => {
  // What was read belongs to one organization; nothing of it may be seen in the next.
  if (session.organization() !== shownOrganization) queryClient.clear();
  shownOrganization = session.organization();
});
