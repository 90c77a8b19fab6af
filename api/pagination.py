"""The one way lists are paged."""

from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict

from etlfabric_core.db.pages import PageRequest

Item = TypeVar("Item")


class PageOut(BaseModel, Generic[Item]):
    """One page of a list; ask again with `cursor=next_cursor` until it is null."""

    model_config = ConfigDict(from_attributes=True)

    items: list[Item]
    next_cursor: str | None


def page_request(
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> PageRequest:
    """What the query string asks for."""
    return PageRequest(limit, cursor)


PageDep = Annotated[PageRequest, Depends(page_request)]
