"""ORM rows, without logic. Importing this package registers every table on `Base.metadata`."""

from etlfabric_core.models.account_token import AccountToken
from etlfabric_core.models.api_key import ApiKey
from etlfabric_core.models.audit_entry import AuditEntry
from etlfabric_core.models.audit_head import AuditHead
from etlfabric_core.models.base import Base, OrgOwned
from etlfabric_core.models.connection import Connection
from etlfabric_core.models.connection_test import ConnectionTest
from etlfabric_core.models.edge import Edge
from etlfabric_core.models.identity import Identity
from etlfabric_core.models.invitation import Invitation
from etlfabric_core.models.lease import PipelineLease
from etlfabric_core.models.listing import Listing
from etlfabric_core.models.login import Login
from etlfabric_core.models.node import Node
from etlfabric_core.models.organization import Membership, Organization, User
from etlfabric_core.models.partial_upload import PartialUpload
from etlfabric_core.models.refresh_token import RefreshToken
from etlfabric_core.models.refusal import Refusal
from etlfabric_core.models.revision import PublicationRow, Revision
from etlfabric_core.models.run_event import RunEvent, TaskResult
from etlfabric_core.models.schedule import Schedule
from etlfabric_core.models.schema_change import SchemaChange
from etlfabric_core.models.upload import Upload
from etlfabric_core.models.workflow import Workflow

__all__ = [
    "AccountToken",
    "ApiKey",
    "AuditEntry",
    "AuditHead",
    "Base",
    "Connection",
    "ConnectionTest",
    "Edge",
    "Identity",
    "Invitation",
    "Listing",
    "Login",
    "Membership",
    "Node",
    "OrgOwned",
    "Organization",
    "PartialUpload",
    "PipelineLease",
    "PublicationRow",
    "RefreshToken",
    "Refusal",
    "Revision",
    "RunEvent",
    "Schedule",
    "SchemaChange",
    "TaskResult",
    "Upload",
    "User",
    "Workflow",
]
