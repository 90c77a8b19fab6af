"""What exists at all: connectors, node kinds, roles. The same for every organization."""

from fastapi import APIRouter

from api.datamodels.registry import ConnectorOut, KindOut, LoadingOut, LoadingWhenOut, RoleOut
from api.deps import PrincipalDep
from api.errors import errors
from etlfabric_core.access.permissions import ROLE_PERMISSIONS
from etlfabric_core.connectors import CONNECTORS
from etlfabric_core.connectors.loading import Loading
from etlfabric_core.connectors.record import NoOptions
from etlfabric_core.errors import Unauthenticated
from etlfabric_core.graph.kinds import KINDS

router = APIRouter(prefix="/registry", tags=["registry"])


@router.get("/connectors", responses=errors(Unauthenticated))
async def connectors(principal: PrincipalDep) -> list[ConnectorOut]:
    """Connectors, with JSON Schemas from which forms are made."""
    return [
        ConnectorOut(
            name=connector.name,
            label=connector.label,
            description=connector.description,
            directions=sorted(connector.directions),
            files=connector.files,
            abilities=sorted(connector.abilities),
            loading=_loading(connector.loading),
            loading_when=[
                LoadingWhenOut(field=one.field, value=one.value, loading=_shown(one.loading))
                for one in connector.loading_when
            ],
            extra=connector.extra,
            config=connector.config.model_json_schema(),
            secrets=connector.secrets.model_json_schema(),
            resource_options=(connector.resource_options or NoOptions).model_json_schema(),
        )
        for connector in CONNECTORS.values()
    ]


def _loading(loading: Loading | None) -> LoadingOut | None:
    return _shown(loading) if loading else None


def _shown(loading: Loading) -> LoadingOut:
    return LoadingOut(
        dispositions=sorted(loading.dispositions),
        strategies=sorted(loading.strategies),
        abilities=sorted(loading.abilities),
        guarantee=loading.guarantee,
    )


@router.get("/kinds", responses=errors(Unauthenticated))
async def kinds(principal: PrincipalDep) -> list[KindOut]:
    """Node kinds and their ports."""
    return [
        KindOut(
            name=kind.name,
            label=kind.label,
            inputs=sorted(kind.inputs),
            output=kind.output,
            is_transformation=kind.is_transformation,
            config=kind.config.model_json_schema(),
        )
        for kind in KINDS.values()
    ]


@router.get("/roles", responses=errors(Unauthenticated))
async def roles(principal: PrincipalDep) -> list[RoleOut]:
    """Roles, the strongest first, with their permissions."""
    return [
        RoleOut(name=role, permissions=sorted(permissions))
        for role, permissions in ROLE_PERMISSIONS.items()
    ]
