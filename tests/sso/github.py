"""Stands in for GitHub, which tests cannot reach: its authorization page, token, and user API."""

import secrets
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.sso.server import LocalServer, Reply, Request, as_json

CLIENT_ID = "etlfabric-at-github"
CLIENT_SECRET = "the client secret at GitHub"
ACCESS_TOKEN = "gho_of_the_tests"


class GitHubStandIn:
    """Speaks what a GitHub Enterprise Server speaks; who signs in is `user` with `emails`."""

    def __init__(self) -> None:
        self.user: dict[str, Any] = {}
        self.emails: Any = []
        self._challenges: dict[str, str] = {}  # by code
        self.server = LocalServer(self.answer)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def answer(self, request: Request) -> Reply:
        """What a request gets."""
        if request.path == "/login/oauth/authorize":
            return self.authorize(request.query)
        if request.path == "/login/oauth/access_token":
            return self.token(request.form)
        return self.api(request.path, request.authorization)

    def authorize(self, query: dict[str, str]) -> Reply:
        """The person agrees at once."""
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_hex(10)
        self._challenges[code] = query["code_challenge"]
        back = {"code": code, "state": query["state"], "iss": f"{self.url}/login/oauth"}
        return Reply(302, location=f"{query['redirect_uri']}?{urlencode(back)}")

    def token(self, form: dict[str, str]) -> Reply:
        """A token for a code, once; errors are answered with 200, as GitHub does."""
        challenge = self._challenges.pop(form["code"], None)
        right = create_s256_code_challenge(form["code_verifier"]) == challenge
        if not right or (form["client_id"], form["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            return as_json({"error": "bad_verification_code"})
        return as_json({"access_token": ACCESS_TOKEN, "token_type": "bearer", "scope": "user"})

    def api(self, path: str, authorization: str | None) -> Reply:
        """The two endpoints of the user API."""
        if authorization != f"Bearer {ACCESS_TOKEN}":
            return as_json({"message": "Bad credentials"}, 401)
        known = {"/api/v3/user": self.user, "/api/v3/user/emails": self.emails}
        return as_json(known[path]) if path in known else as_json({}, 404)
