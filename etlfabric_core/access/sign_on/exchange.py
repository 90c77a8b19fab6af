"""Requests to a provider: bounded in time and size, and nothing but JSON objects come back."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
from anyio import fail_after

from etlfabric_core.access.sign_on.provider import SECONDS, Refusal, SignOnRefused
from etlfabric_core.errors import InvalidConfig, TransientError

MAX_BYTES = 1 << 20
# Compressed bodies could be larger than they look.
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


async def fetch(
    client: httpx.AsyncClient,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: str | None = None,
) -> Any:
    """The JSON that the provider answers; with `content`, to a POST of that form.

    Raises:
        SignOnRefused: no answer in time, an error, a redirect, too much, or no JSON; or the
            address is closed to the service.
    """
    method = "GET" if content is None else "POST"
    request = client.stream(
        method, url, headers={**HEADERS, **(headers or {})}, content=content, follow_redirects=False
    )
    try:
        with fail_after(SECONDS):
            async with request as response:
                body = await _body(response)
        if response.status_code != httpx.codes.OK:
            raise _refused(url, f"answered {response.status_code}")
        return json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise _refused(url, f"did not answer: {type(error).__name__}") from error
    except (InvalidConfig, TransientError) as error:
        raise _refused(url, error.message) from error
    except (ValueError, RecursionError) as error:
        raise _refused(url, "did not answer with JSON") from error


async def fetch_object(
    client: httpx.AsyncClient,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: str | None = None,
) -> dict[str, Any]:
    """As `fetch`, when only a JSON object will do.

    Raises:
        SignOnRefused: see `fetch`.
    """
    answer = await fetch(client, url, headers=headers, content=content)
    if not isinstance(answer, dict):
        raise _refused(url, "did not answer with a JSON object")
    return answer


async def _body(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_BYTES:
            raise _refused(str(response.url), f"answered with more than {MAX_BYTES} bytes")
    return body


def _refused(url: str, what: str) -> SignOnRefused:
    return SignOnRefused(Refusal.FAILED, f"{url.partition('?')[0]} {what}")
