"""Keys for automation."""

from fastapi import APIRouter

from api.datamodels.api_keys import ApiKeyIn, ApiKeyOut, NewApiKeyOut
from api.deps import BY_PERSON, ApiKeysDelete, ApiKeysRead, ApiKeysWrite, SessionDep
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import Forbidden, InvalidConfig, NotFound, Unauthenticated
from etlfabric_core.models import ApiKey
from etlfabric_core.services import api_keys

router = APIRouter(prefix="/api-keys", tags=["api keys"])


@router.get(
    "",
    response_model=PageOut[ApiKeyOut],
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def list_keys(principal: ApiKeysRead, session: SessionDep, page: PageDep) -> Page[ApiKey]:
    """The keys that are not revoked."""
    return await api_keys.list_page(session, page)


# A key that made another would outlive its own end.
@router.post(
    "",
    status_code=201,
    dependencies=BY_PERSON,
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def create(body: ApiKeyIn, principal: ApiKeysWrite, session: SessionDep) -> NewApiKeyOut:
    """A new key. It is shown this once."""
    made = await api_keys.create(
        session, principal, name=body.name, scopes=body.scopes, expires_at=body.expires_at
    )
    shown = ApiKeyOut.model_validate(made.row).model_dump()
    return NewApiKeyOut(**shown, key=made.key)


@router.delete(
    "/{id}",
    status_code=204,
    responses=errors(Unauthenticated, Forbidden, NotFound, InvalidConfig),
)
async def revoke(id: int, principal: ApiKeysDelete, session: SessionDep) -> None:
    """Ends a key for good."""
    await api_keys.revoke(session, principal, id)
