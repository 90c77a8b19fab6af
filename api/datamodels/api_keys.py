"""Bodies of API keys."""

from datetime import datetime

from pydantic import AwareDatetime, ConfigDict, Field

from api.datamodels.base import Answer, Body, Name
from etlfabric_core.access.permissions import Permission


class ApiKeyIn(Body):
    """`scopes` are permissions; the key's maker must have each of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Nightly deploy",
                    "scopes": ["workflows:read", "runs:read", "runs:execute"],
                    "expires_at": "2030-01-01T00:00:00Z",
                }
            ]
        },
    )

    name: Name
    scopes: list[Permission] = Field(min_length=1, max_length=len(Permission))
    expires_at: AwareDatetime | None = None


class ApiKeyOut(Answer):
    """A key without its secret."""

    id: int
    name: str
    user_id: int
    scopes: list[Permission]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewApiKeyOut(ApiKeyOut):
    """The only answer that holds the key itself."""

    key: str
