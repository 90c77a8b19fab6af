import { afterEach, beforeEach, expect, test, vi } from "vitest";

const PAGE = "http://service.test/api/v1/workflows";
const asked: string[] = [];
let current = "acme";

const grant = (slug: string) =>
  Response.json({ access_token: `token of ${slug}`, expires_in: 900, organization: { slug } });

beforeEach(() => {
  vi.resetModules(); // the session is a module: each test gets one of its own
  vi.stubGlobal("navigator", {});
  vi.stubGlobal("window", { location: { origin: "http://service.test" } });
  // A service whose session is in the organization `current`; tokens of others have ended.
  vi.stubGlobal("fetch", async (asking: string | Request) => {
    if (typeof asking === "string") return grant(current);
    const token = asking.headers.get("Authorization");
    asked.push(`${asking.method} with ${token}`);
    return new Response(null, { status: token === `Bearer token of ${current}` ? 200 : 401 });
  });
});

afterEach(() => {
  asked.length = 0;
  current = "acme";
  vi.unstubAllGlobals();
});

async function signedIn() {
  const { session } = await import("./session");
  await session.refresh();
  return (await import("./client")).authorizedFetch;
}

test("what is read is read again after a renewal, in the organization of the session", async () => {
  const authorizedFetch = await signedIn();
  current = "beta";
  expect((await authorizedFetch(new Request(PAGE))).status).toBe(200);
  expect(asked).toEqual(["GET with Bearer token of acme", "GET with Bearer token of beta"]);
});

test("a change that was meant for one organization is not made in another", async () => {
  const authorizedFetch = await signedIn();
  current = "beta";
  expect((await authorizedFetch(new Request(PAGE, { method: "POST" }))).status).toBe(401);
  expect(asked).toEqual(["POST with Bearer token of acme"]);
  expect((await authorizedFetch(new Request(PAGE, { method: "POST" }))).status).toBe(200);
});
