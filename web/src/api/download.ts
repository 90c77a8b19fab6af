/** Files that only a signed-in person may have. */
import { authorizedFetch } from "./client";
import { ApiError } from "./errors";

/** Fetches a path of the service and hands it to the browser as a file. */
export async function download(path: string, filename: string): Promise<void> {
  const response = await authorizedFetch(new Request(new URL(path, window.location.origin)));
  if (!response.ok) throw await ApiError.from(response);
  const url = URL.createObjectURL(await response.blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: filename });
  link.click();
  URL.revokeObjectURL(url);
}
