import { afterEach, beforeEach, expect, test, vi } from "vitest";

const answers: Response[] = [];
const asked: string[] = [];

const grant = (slug: string) =>
  Response.json({ access_token: `token of ${slug}`, expires_in: 900, organization: { slug } });

const refusal = (status: number) => Response.json({ error: "x", message: "no" }, { status });

beforeEach(() => {
  vi.resetModules(); // the session is a module: each test gets one of its own
  vi.stubGlobal("navigator", {});
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    return answers.shift() ?? refusal(500);
  });
});

afterEach(() => {
  answers.length = asked.length = 0;
  vi.unstubAllGlobals();
});

async function fresh() {
  return (await import("./session")).session;
}

test("a renewal tells which organization the token is for", async () => {
  const session = await fresh();
  answers.push(grant("acme"));
  expect(await session.refresh()).toBe(true);
  expect([session.status(), session.organization(), session.token()]).toEqual(["signed-in", "acme", "token of acme"]);
  session.end();
  expect([session.status(), session.organization(), session.token()]).toEqual(["signed-out", null, null]);
});

test("another window's renewal is waited for, it does not sign out", async () => {
  const session = await fresh();
  answers.push(refusal(409), refusal(409), grant("acme"));
  expect(await session.refresh()).toBe(true);
  expect(asked).toHaveLength(3);
  expect(session.status()).toBe("signed-in");
});

test("an ended session signs out, a service that is away does not", async () => {
  const session = await fresh();
  answers.push(grant("acme"), refusal(503), refusal(401));
  await session.refresh();
  expect(await session.refresh()).toBe(false);
  expect(session.status()).toBe("signed-in");
  expect(await session.refresh()).toBe(false);
  expect(session.status()).toBe("signed-out");
});

test("whoever listens hears of another organization", async () => {
  const session = await fresh();
  const seen: (string | null)[] = [];
  session.subscribe(() => seen.push(session.organization()));
  answers.push(grant("acme"), grant("beta"));
  await session.refresh();
  await session.refresh();
  expect(seen).toEqual(["acme", "beta"]);
});
