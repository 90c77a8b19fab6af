"""Operators: whom the service lets sign in to Airflow, in the bodies of /internal/v1/operators."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OperatorSignIn(_Body):
    """What somebody typed into Airflow's sign-in form. `address` is where from, if known."""

    username: str = Field(max_length=512, description="E-mail address.")
    password: str = Field(max_length=1024, repr=False)
    address: str | None = Field(None, max_length=64)


class Operator(_Body):
    """A user who may operate something: the whole platform, or only `organizations` (slugs)."""

    user_id: int
    email: str
    name: str
    platform_role: Literal["operator", "owner"] | None = None
    organizations: tuple[str, ...] = Field((), description="Sorted.")
    stamp: str = Field(description="Another one after every change of the password.")
