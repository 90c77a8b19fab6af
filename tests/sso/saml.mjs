// A SAML 2.0 identity provider with a few accounts, for the tests of single sign-on.
// It reads its configuration as one line of JSON from standard input and stops when that closes.
import { createInterface } from "node:readline";
import express from "express";
import samlp from "samlp";

const lines = createInterface({ input: process.stdin });
const [first] = await new Promise((resolve) => {
  lines.once("line", (line) => resolve([line]));
});
const { port, accounts, issuer, audience, consumer, key, certificate } = JSON.parse(first);

const app = express();
// Whoever adds `person=` to the address is that person.
app.get("/sign-on", (request, response, next) =>
  samlp.auth({
    issuer,
    key,
    cert: certificate,
    audience,
    recipient: consumer,
    destination: consumer,
    signatureAlgorithm: "rsa-sha256",
    digestAlgorithm: "sha256",
    lifetimeInSeconds: 300,
    getUserFromRequest: () => accounts[request.query.person],
    getPostURL: (_audience, _request, _from, callback) => callback(null, consumer),
  })(request, response, next),
);
const server = app.listen(port, "127.0.0.1", () => console.log("ready"));
lines.once("close", () => {
  server.closeAllConnections();
  server.close();
});
