"""Slugs of new objects: as given, or made from the name; free, and safe everywhere."""

import unicodedata

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.errors import Conflict, InvalidConfig, Problem
from etlfabric_core.slugs import SLUG, slugify


def new_slug(name: str, slug: str | None) -> str:
    """The slug that an object of that name gets.

    Raises:
        InvalidConfig: the given slug is none, or the name has no letter to make one of.
    """
    if slug is not None:
        if not SLUG.fullmatch(slug):
            text = "use a-z, 0-9 and single _, a letter first, at most 40"
            raise _invalid(f"slug '{slug[:60]}': {text}", text, "slug")
        return slug
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    if not any(character.isalnum() for character in ascii_name):
        text = "has no letter a-z or digit to make a slug of; give a `slug` beside it"
        raise _invalid(f"name '{name}' {text}", text, "name")
    return slugify(name)


async def require_free(session: AsyncSession, taken: Select[int], slug: str) -> None:
    """Refuses a slug that `taken` finds.

    Raises:
        Conflict: it is taken.
    """
    if await session.scalar(taken) is not None:
        raise Conflict(
            f"'{slug}' already exists",
            hint="choose another name, or give another `slug`",
            problems=[Problem("already taken", field="slug")],
        )


def _invalid(message: str, problem: str, field: str) -> InvalidConfig:
    return InvalidConfig(message, problems=[Problem(problem, field=field)])
