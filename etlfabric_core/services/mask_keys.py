"""The key that an organization's columns are hashed and encrypted with: made once, kept for ever.

It does not hang on the encryption keys, so that their rotation changes no value. The same value
gets the same text in every table of the organization, and another one in every other.
"""

import secrets
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.crypto import SecretBox
from etlfabric_core.extract_load.shape import masks
from etlfabric_core.graph.columns import KEYED_MASKS, Mask
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.models import Organization
from etlfabric_core.services import audit

FIELD = "organization.mask_key"
KEY_BYTES = 32


async def for_pipeline(
    session: AsyncSession, box: SecretBox, organization: Organization, config: PipelineConfig
) -> str:
    """The key in hexadecimal, or nothing for a pipeline without a mask that needs it.

    Raises:
        SecretUnreadable: the key that sealed it is gone.
    """
    return await _key(session, box, organization) if _masks(config) & KEYED_MASKS else ""


async def reveal(
    session: AsyncSession, box: SecretBox, principal: Principal, texts: Sequence[str]
) -> list[str | None]:
    """What the mask `encrypt` made these texts of; None for one that it did not make here.

    Raises:
        SecretUnreadable: the key that sealed the organization's key is gone.
    """
    organization = await session.get_one(Organization, principal.org_id)
    key = bytes.fromhex(await _key(session, box, organization))
    values = [masks.revealed(text, key) for text in texts]
    told = {"asked": len(values), "revealed": sum(value is not None for value in values)}
    await audit.record(session, principal, "reveal", organization, new=told)
    return values


async def _key(session: AsyncSession, box: SecretBox, organization: Organization) -> str:
    await session.refresh(organization, with_for_update={"key_share": True})
    if organization.mask_key is None:
        made = {"key": secrets.token_hex(KEY_BYTES)}
        organization.mask_key = box.seal(made, org_id=organization.id, field=FIELD)
        await session.flush()
    return str(box.open(organization.mask_key, org_id=organization.id, field=FIELD)["key"])


def _masks(config: PipelineConfig) -> set[Mask | None]:
    masks = {one.mask for resource in config.resources for one in resource.columns.values()}
    return masks | {
        one.mask for resource in config.resources for one in resource.calculated.values()
    }
