/** Sends a file in pieces, and goes on where a broken connection left it. */
import { authorizedFetch, client } from "./client";
import { ApiError } from "./errors";
import type { Upload } from "./types";

export const PIECE_BYTES = 8 << 20;
const ATTEMPTS = 5;
const PATH = "/api/v1/uploads/partial/{id}";

/** One file on its way. After a failure `send` goes on with what is missing. */
export class Sending {
  private id: number | null = null;

  constructor(
    readonly file: File,
    private readonly pause: (failures: number) => Promise<void> = backoff,
    private readonly pieceBytes = PIECE_BYTES,
  ) {}

  /** Resolves with the stored upload; `onProgress` gets 0 to 100. Breaks are mended a few times by itself. */
  async send(onProgress: (percent: number) => void): Promise<Upload> {
    let failures = 0;
    for (;;) {
      try {
        return await this.rest((received) => {
          failures = 0;
          onProgress(Math.round((100 * received) / this.file.size));
        });
      } catch (problem) {
        failures += 1;
        if (!passes(problem) || failures >= ATTEMPTS) throw problem;
        await this.pause(failures);
      }
    }
  }

  /** Tells the service that the rest will not come. */
  async giveUp(): Promise<void> {
    if (this.id !== null) await client.DELETE(PATH, { params: { path: { id: this.id } } });
  }

  private async rest(onReceived: (bytes: number) => void): Promise<Upload> {
    this.id ??= await announced(this.file);
    let received = await offset(this.id);
    while (received < this.file.size) {
      received = await this.piece(this.id, received);
      onReceived(received);
    }
    const { data } = await client.POST("/api/v1/uploads/partial/{id}/finish", { params: { path: { id: this.id } }, body: {} });
    return data!;
  }

  private async piece(id: number, from: number): Promise<number> {
    const bytes = await this.file.slice(from, from + this.pieceBytes).arrayBuffer();
    const headers: Record<string, string> = { "Content-Type": "application/octet-stream", "Upload-Offset": String(from) };
    const checksum = await hashed(bytes);
    if (checksum) headers["Upload-Checksum"] = checksum;
    const url = new URL(PATH.replace("{id}", String(id)), window.location.origin);
    const response = await authorizedFetch(new Request(url, { method: "PATCH", headers, body: bytes }));
    if (!response.ok) throw await ApiError.from(response);
    return Number(response.headers.get("Upload-Offset"));
  }
}

async function announced(file: File): Promise<number> {
  const { data } = await client.POST("/api/v1/uploads/partial", { body: { filename: file.name, size: file.size } });
  return data!.id;
}

async function offset(id: number): Promise<number> {
  const { response } = await client.HEAD(PATH, { params: { path: { id } } });
  return Number(response.headers.get("Upload-Offset"));
}

/** Browsers hash in pages of their own machine or over HTTPS only; elsewhere the piece goes without. */
async function hashed(bytes: ArrayBuffer): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256 ${btoa(String.fromCharCode(...digest))}`;
}

/** Whether it may go better in a moment: no network, an overloaded service, a piece that came twice. */
function passes(problem: unknown): boolean {
  return problem instanceof TypeError || (problem instanceof ApiError && [409, 502, 503, 504].includes(problem.status));
}

function backoff(failures: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** (failures - 1)));
}
