/** The one typed client: bearer token, one silent renewal on 401, errors as ApiError. */
import { QueryClient } from "@tanstack/react-query";
import createFetchClient, { type Middleware } from "openapi-fetch";
import createQueryHooks from "openapi-react-query";

import { ApiError } from "./errors";
import type { paths } from "./schema";
import { session, WEB_HEADERS } from "./session";

const ANONYMOUS = ["/api/v1/auth/login", "/api/v1/auth/register", "/api/v1/auth/refresh"];

/** fetch with the session's token; a 401 renews the session once and asks again. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const anonymous = ANONYMOUS.includes(new URL(request.url).pathname);
  const again = anonymous ? null : request.clone();
  const response = await fetch(withToken(request));
  if (response.status !== 401 || !again) return response;
  if (!(await session.refresh())) return response;
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
