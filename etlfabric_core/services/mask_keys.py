"""The key that an organization's hashed columns are hashed with: made once, and kept for ever.

It does not hang on the encryption keys, so that their rotation changes no hash. The same value
gets the same hash in every table of the organization, and another one in every other.
"""

import secrets

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.crypto import SecretBox
from etlfabric_core.graph.columns import Mask
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.models import Organization

FIELD = "organization.mask_key"
KEY_BYTES = 32


async def for_pipeline(
    session: AsyncSession, box: SecretBox, organization: Organization, config: PipelineConfig
) -> str:
    """The key in hexadecimal, or nothing for a pipeline that hashes no column.

    Raises:
        SecretUnreadable: the key that sealed it is gone.
    """
    if Mask.HASH not in _masks(config):
        return ""
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
