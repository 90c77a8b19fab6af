"""GitHub: the REST connector with the endpoints of a repository."""

from typing import Any

from pydantic import Field, SecretStr

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.files import FieldType
from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    Proof,
    parse,
)
from etlfabric_core.connectors.rest import (
    WEB,
    Api,
    Incremental,
    Paginator,
    RestConfig,
    RestOptions,
    RestSecrets,
    describer,
    hosts_of,
    lister,
    tester,
)
from etlfabric_core.extract_load.plan import Endpoint

NAME = r"^[A-Za-z0-9_.-]{1,100}$"
PAGES = Paginator(type="header_link")
INTEGER, TEXT, TIME, FLAG, JSON = (
    FieldType.INTEGER,
    FieldType.TEXT,
    FieldType.TIMESTAMP,
    FieldType.BOOLEAN,
    FieldType.JSON,
)
TICKET = {
    "id": INTEGER,
    "number": INTEGER,
    "title": TEXT,
    "state": TEXT,
    "body": TEXT,
    "user": JSON,
    "labels": JSON,
    "created_at": TIME,
    "updated_at": TIME,
    "closed_at": TIME,
}
SINCE = Incremental(start_param="since")


class GithubConfig(ConnectorModel):
    """Which repository."""

    owner: str = Field(pattern=NAME, description="Organization or user.")
    repository: str = Field(pattern=NAME)
    base_url: str = Field(
        "https://api.github.com", pattern=WEB, max_length=500, description="Of an own server."
    )


class GithubSecrets(ConnectorModel):
    """A token; public repositories can be read a little without one."""

    token: SecretStr = SecretStr("")


def _endpoint(path: str, fields: dict[str, FieldType], **options: Any) -> RestOptions:
    params = {"per_page": 100, **options.pop("params", {})}
    return RestOptions(path=path, params=params, paginator=PAGES, fields=fields, **options)


# GitHub counts pull requests among the issues.
ENDPOINTS: dict[str, RestOptions] = {
    "issues": _endpoint(
        "issues",
        {**TICKET, "comments": INTEGER, "pull_request": JSON},
        params={"state": "all", "sort": "updated", "direction": "asc"},
        incremental=SINCE,
    ),
    "pulls": _endpoint(
        "pulls",
        {**TICKET, "draft": FLAG, "merged_at": TIME, "head": JSON, "base": JSON},
        params={"state": "all", "sort": "created", "direction": "asc"},
    ),
    "commits": _endpoint("commits", {"sha": TEXT, "commit": JSON, "author": JSON, "parents": JSON}),
    "releases": _endpoint(
        "releases",
        {"id": INTEGER, "tag_name": TEXT, "name": TEXT, "created_at": TIME, "published_at": TIME},
    ),
    "issue_comments": _endpoint(
        "issues/comments",
        {"id": INTEGER, "body": TEXT, "user": JSON, "created_at": TIME, "updated_at": TIME},
        params={"sort": "updated", "direction": "asc"},
        incremental=SINCE,
    ),
    "contributors": _endpoint(
        "contributors", {"id": INTEGER, "login": TEXT, "contributions": INTEGER}
    ),
    "stargazers": _endpoint("stargazers", {"id": INTEGER, "login": TEXT}),
}
KEYS = {name: ("sha",) if name == "commits" else ("id",) for name in ENDPOINTS}


def api_of(endpoint: Endpoint) -> Api:
    """The API below the repository.

    Raises:
        InvalidConfig: a field is wrong.
    """
    given = parse(GithubConfig, endpoint.config)
    token = parse(GithubSecrets, endpoint.secrets).token
    config = RestConfig(
        base_url=f"{given.base_url.rstrip('/')}/repos/{given.owner}/{given.repository}",
        headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        auth="bearer" if token else "none",
    )
    return Api(config, RestSecrets(token=token), endpoint, ENDPOINTS, KEYS)


GITHUB = Connector(
    name="github",
    label="GitHub",
    description="Issues, pull requests, commits and more of a repository.",
    directions=frozenset({Direction.SOURCE}),
    config=GithubConfig,
    secrets=GithubSecrets,
    test=tester(api_of),
    browse=whole_list(lister(api_of), describer(api_of)),
    endpoint_fields=("base_url",),
    hosts_of=hosts_of,
    resource_options=RestOptions,
    proof=Proof.CONTRACT,
)
