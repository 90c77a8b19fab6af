import { describe, expect, it } from "vitest";

import { EventParser } from "./sse";

describe("EventParser", () => {
  it("reads id, event and data", () => {
    const events = new EventParser().push('id: 7\nevent: progress\ndata: {"rows": 1}\n\n');
    expect(events).toEqual([{ id: "7", event: "progress", data: '{"rows": 1}' }]);
  });

  it("gives the same events however the text is cut", () => {
    const text = ": ping\r\n\r\nid: 1\r\nevent: state\r\ndata: a\r\ndata: b\r\n\r\nid: 2\r\ndata: c\r\n\r\n";
    const whole = new EventParser().push(text);
    for (let size = 1; size < text.length; size++) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
      expect(events, `chunks of ${size}`).toEqual(whole);
    }
    expect(whole.map((event) => event.data)).toEqual(["a\nb", "c"]);
  });

  it("keeps the id for events that carry none, and skips comments and empty events", () => {
    const events = new EventParser().push("id: 9\ndata: x\n\n:\n\nevent: nothing\n\ndata: y\n\n");
    expect(events).toEqual([
      { id: "9", event: "message", data: "x" },
      { id: "9", event: "message", data: "y" },
    ]);
  });

  it("answers nothing before the empty line", () => {
    const parser = new EventParser();
    expect(parser.push("data: half")).toEqual([]);
    expect(parser.push("\n")).toEqual([]);
    expect(parser.push("\n")).toEqual([{ id: null, event: "message", data: "half" }]);
  });
});
