/** Follows a server-sent event stream with the bearer token; reconnects where it broke off. */
import { authorizedFetch } from "./client";
import { ApiError } from "./errors";
import { EventParser, type ServerEvent } from "./sse";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

interface Options {
  signal: AbortSignal;
  /** Answers true when the stream is at its end and must not be opened again. */
  onEvent: (event: ServerEvent) => boolean;
  onConnected?: (connected: boolean) => void;
}

/** Runs until the signal aborts, `onEvent` says it is the end, or the service refuses (4xx). */
export async function follow(path: string, { signal, onEvent, onConnected }: Options): Promise<void> {
  let lastId: string | null = null;
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      const response = await open(path, lastId, signal);
      onConnected?.(true);
      pause = FIRST_PAUSE_MS;
      for await (const event of events(response)) {
        lastId = event.id ?? lastId;
        if (onEvent(event)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status < 500) throw error;
    }
    onConnected?.(false);
    await wait(pause, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

async function open(path: string, lastId: string | null, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (lastId) headers["Last-Event-ID"] = lastId;
  const url = new URL(path, window.location.origin);
  const response = await authorizedFetch(new Request(url, { headers, signal }));
  if (!response.ok) throw await ApiError.from(response);
  return response;
}

async function* events(response: Response): AsyncGenerator<ServerEvent> {
  if (!response.body) return;
  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
