"""The version that a change was made against: the If-Match header."""

from typing import Annotated

from fastapi import Depends, Header

from etlfabric_core.errors import InvalidConfig


def if_match(
    version: Annotated[
        str | None,
        Header(alias="If-Match", max_length=40, description="`version` as it was read."),
    ] = None,
) -> int | None:
    """The version, or None when the change is to win whatever is stored.

    Raises:
        InvalidConfig: 422, it is no version.
    """
    if version is None or version.strip() == "*":
        return None
    number = version.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise InvalidConfig(
            "If-Match: not a version", hint="send the `version` of the object as you read it"
        )
    return int(number)


VersionDep = Annotated[int | None, Depends(if_match)]
