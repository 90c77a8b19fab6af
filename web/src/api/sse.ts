/** A parser for text/event-stream, for streams that need an Authorization header. */

export interface ServerEvent {
  id: string | null;
  event: string;
  data: string;
}

/** Feeds on chunks of text that may end anywhere; answers the events that are complete. */
export class EventParser {
  private rest = "";
  private id: string | null = null;
  private event = "";
  private data: string[] = [];

  push(chunk: string): ServerEvent[] {
    const text = this.rest + chunk;
    // A lone CR at the very end may be the first half of CRLF.
    const cut = text.endsWith("\r") ? text.length - 1 : text.length;
    const lines = text.slice(0, cut).split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? "") + text.slice(cut);
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): ServerEvent[] {
    if (line === "") return this.dispatch();
    if (line.startsWith(":")) return [];
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    if (field === "event") this.event = value;
    if (field === "id" && !value.includes("\0")) this.id = value;
    return [];
  }

  private dispatch(): ServerEvent[] {
    const complete = this.data.length
      ? [{ id: this.id, event: this.event || "message", data: this.data.join("\n") }]
      : [];
    this.data = [];
    this.event = "";
    return complete;
  }
}
