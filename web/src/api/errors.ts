/** The one shape in which the service says that something is wrong. */
export interface Problem {
  message: string;
  field?: string | null;
  node?: string | null;
  edge?: string[] | null;
  line?: number | null;
}

/** Every answer outside 2xx becomes one of these; `hint` is what to do now. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null = null,
    readonly problems: Problem[] = [],
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Reads the error of a response; a body that is not the service's becomes a plain message. */
  static async from(response: Response): Promise<ApiError> {
    const text = await response.text();
    try {
      const body = JSON.parse(text);
      return new ApiError(
        response.status,
        body.error ?? "error",
        body.message ?? response.statusText,
        body.hint ?? null,
        body.problems ?? [],
      );
    } catch {
      return new ApiError(
        response.status,
        "no_answer",
        `The service answered ${response.status} ${response.statusText}`.trim() + ".",
        "Try again in a moment; if it stays, tell the operator.",
      );
    }
  }
}

/** Any thrown thing as an ApiError, so that every error surface has one kind to show. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof TypeError) {
    return new ApiError(
      0,
      "unreachable",
      "The service could not be reached.",
      "Check your network, then try again.",
    );
  }
  return new ApiError(0, "unknown", error instanceof Error ? error.message : String(error));
}

/** Problems by the form field they belong to (`config.host` also counts for `host`). */
export function fieldErrors(error: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  for (const problem of asApiError(error).problems) {
    if (!problem.field) continue;
    found[problem.field] = problem.message;
    const last = problem.field.split(".").at(-1);
    if (last && !(last in found)) found[last] = problem.message;
  }
  return found;
}
