/**
 * Who is signed in. The access token lives in this module's memory only; the refresh token is an
 * HttpOnly cookie that no script can read.
 */
import { ApiError } from "./errors";

export const WEB_HEADERS = { "X-Requested-With": "etlfabric-web" };
const RENEW_BEFORE_MS = 60_000;
const RENEW_ATTEMPTS = 4;
const OTHER_WINDOW_MS = 400;

type Status = "unknown" | "signed-in" | "signed-out";

interface Grant {
  access_token: string;
  /** seconds */
  expires_in: number;
  organization: { slug: string };
}

let accessToken: string | null = null;
let organization: string | null = null;
let status: Status = "unknown";
let renewal: ReturnType<typeof setTimeout> | undefined;
let refreshing: Promise<boolean> | null = null;
const listeners = new Set<() => void>();
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("etlfabric");

function become(next: Status) {
  status = next;
  for (const listener of listeners) listener();
}

export const session = {
  token: () => accessToken,
  status: () => status,
  /** The slug of the organization that the token is for. */
  organization: () => organization,
  subscribe(listener: () => void) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },

  /** Takes a fresh grant and renews it silently a minute before it ends. */
  begin(grant: Grant) {
    accessToken = grant.access_token;
    organization = grant.organization.slug;
    clearTimeout(renewal);
    renewal = setTimeout(() => void session.refresh(), Math.max(grant.expires_in * 1000 - RENEW_BEFORE_MS, 5_000));
    become("signed-in");
  },

  /** Begins what somebody just asked for: a sign-in, another organization. Other tabs follow. */
  enter(grant: Grant) {
    session.begin(grant);
    channel?.postMessage("entered");
  },

  end() {
    accessToken = null;
    organization = null;
    clearTimeout(renewal);
    become("signed-out");
  },

  /** Trades the cookie for a new access token; one request at a time over all tabs. */
  refresh(): Promise<boolean> {
    refreshing ??= oneTabAtATime(() => requestGrant()).finally(() => {
      refreshing = null;
    });
    return refreshing;
  },

  announceEnd() {
    channel?.postMessage("signed-out");
  },
};

channel?.addEventListener("message", (event) => {
  if (event.data === "signed-out") session.end();
  // The cookie is another one now: what this tab shows must belong to it.
  if (event.data === "entered") void session.refresh();
});

function oneTabAtATime<T>(work: () => Promise<T>): Promise<T> {
  return navigator.locks ? navigator.locks.request("etlfabric-refresh", work) as Promise<T> : work();
}

async function requestGrant(attempt = 1): Promise<boolean> {
  let response: Response;
  try {
    response = await fetch("/api/v1/auth/refresh", { method: "POST", headers: WEB_HEADERS });
  } catch {
    // The network is away: what is in memory may still be good, so nobody is signed out for it.
    if (status === "unknown") become("signed-out");
    return false;
  }
  if (response.ok) {
    session.begin((await response.json()) as Grant);
    return true;
  }
  if (response.status === 409 && attempt < RENEW_ATTEMPTS) {
    // Another window took the cookie's token a moment ago; its answer brings the next one.
    await new Promise((resolve) => setTimeout(resolve, OTHER_WINDOW_MS));
    return requestGrant(attempt + 1);
  }
  const error = await ApiError.from(response);
  if ((error.status < 500 && error.status !== 409) || status === "unknown") session.end();
  return false;
}
