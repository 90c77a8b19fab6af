// A real OpenID Connect provider with a few accounts, for the tests of single sign-on.
// It reads its configuration as one line of JSON from standard input and stops when that closes.
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

const lines = createInterface({ input: process.stdin });
const [first] = await new Promise((resolve) => {
  lines.once("line", (line) => resolve([line]));
});
const { port, accounts, clients } = JSON.parse(first);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  findAccount: (_, id) =>
    accounts[id] && { accountId: id, claims: async () => ({ sub: id, ...accounts[id] }) },
});
const server = provider.listen(port, "127.0.0.1", () => console.log("ready"));
lines.once("close", () => {
  server.closeAllConnections();
  server.close();
});
