/** Sends a file with progress. fetch cannot report how much was sent, XMLHttpRequest can. */
import { ApiError } from "./errors";
import { session, WEB_HEADERS } from "./session";
import type { Upload } from "./types";

/** Resolves with the stored upload; `onProgress` gets 0 to 100. */
export function sendFile(file: File, onProgress: (percent: number) => void): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/uploads");
    request.setRequestHeader("Authorization", `Bearer ${session.token() ?? ""}`);
    for (const [name, value] of Object.entries(WEB_HEADERS)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(Math.round((100 * loaded) / total));
    request.onerror = () => reject(new TypeError("network"));
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as Upload);
      void ApiError.from(new Response(request.responseText, { status: request.status })).then(reject);
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}
