import { afterEach, beforeEach, expect, test, vi } from "vitest";

const CONTENT = "id,name\n1,Ada\n2,Grace\n";
let received = "";
let breaks: ((offset: number) => Response | "broken" | null)[] = [];
const asked: string[] = [];

beforeEach(() => {
  vi.resetModules();
  vi.stubGlobal("window", { location: { origin: "http://service.test" } });
  // A service that keeps the bytes of one file, and breaks as it is told.
  vi.stubGlobal("fetch", async (request: Request) => {
    const path = new URL(request.url).pathname;
    asked.push(`${request.method} ${path.split("/partial")[1]}`);
    if (path.endsWith("/partial")) return Response.json({ id: 7, received: 0 }, { status: 201 });
    if (path.endsWith("/finish")) return Response.json({ id: 1, filename: "a.csv", size: received.length }, { status: 201 });
    if (request.method === "PATCH") {
      const at = Number(request.headers.get("Upload-Offset"));
      const planned = breaks.shift()?.(at);
      if (planned === "broken") throw new TypeError("network");
      if (planned) return planned;
      if (at !== received.length) return Response.json({ error: "conflict" }, { status: 409 });
      received += await request.text();
    }
    return new Response(null, { status: 200, headers: { "Upload-Offset": String(received.length) } });
  });
});

afterEach(() => {
  [received, breaks] = ["", []];
  asked.length = 0;
  vi.unstubAllGlobals();
});

async function sending(pause = () => Promise.resolve()) {
  const { Sending } = await import("./upload");
  return new Sending(new File([CONTENT], "a.csv"), pause, 8);
}

test("a file goes in pieces, with its progress", async () => {
  const seen: number[] = [];
  const upload = await (await sending()).send((percent) => seen.push(percent));
  expect(upload.id).toBe(1);
  expect(received).toBe(CONTENT);
  expect(seen).toEqual([36, 73, 100]);
});

test("after a break the service is asked where to go on", async () => {
  breaks = [() => null, () => "broken"];
  await (await sending()).send(() => {});
  expect(received).toBe(CONTENT);
  expect(asked.filter((one) => one === "POST ")).toHaveLength(1);
  expect(asked.filter((one) => one.startsWith("HEAD"))).toHaveLength(2);
});

test("when it stays broken it says so, and goes on when asked", async () => {
  breaks = [() => null, ...Array.from({ length: 5 }, () => () => "broken" as const)];
  const file = await sending();
  await expect(file.send(() => {})).rejects.toThrow("network");
  expect(received).toHaveLength(8);
  await file.send(() => {});
  expect(received).toBe(CONTENT);
  expect(asked.filter((one) => one === "POST ")).toHaveLength(1);
});

test("what stays wrong is not tried again", async () => {
  breaks = [() => Response.json({ error: "too_large", message: "too large" }, { status: 413 })];
  await expect((await sending()).send(() => {})).rejects.toThrow("too large");
  expect(asked.filter((one) => one.startsWith("PATCH"))).toHaveLength(1);
});
