"""All tables.

Revision: 0001
Follows: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "organization",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column(
            "warehouse_password",
            sa.LargeBinary(),
            nullable=False,
            comment="Sealed password of the organization's role in the managed warehouse.",
        ),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("slug", name=op.f("uq_organization_slug")),
    )
    op.create_table(
        "user",
        sa.Column("email", sa.String(), nullable=False, comment="Lower case."),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email", name=op.f("uq_user_email")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "action",
            sa.String(),
            nullable=False,
            comment="create, update, delete, login, logout, run, …",
        ),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=False),
        sa.Column(
            "old_values", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "new_values", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organization.id"], name=op.f("fk_audit_entry_org_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_org_time", "audit_entry", ["org_id", "id"], unique=False)
    op.create_table(
        "connection",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False, comment="source, destination or both"),
        sa.Column(
            "config", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("secrets", sa.LargeBinary(), nullable=True, comment="Sealed JSON object."),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.Column(
            "status",
            sa.String(),
            nullable=False,
            comment="Last test: untested, connected or error.",
        ),
        sa.Column("status_message", sa.String(), nullable=True),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_connection_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_connection_org_id_id")),
    )
    op.create_index(
        "uq_connection_org_id_slug_alive",
        "connection",
        ["org_id", "slug"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "membership",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_membership_org_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_membership_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("org_id", "user_id", name=op.f("uq_membership_org_id_user_id")),
    )
    op.create_index(op.f("ix_membership_user_id"), "membership", ["user_id"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("family", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_refresh_token_organization_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_refresh_token_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_refresh_token_token_hash")),
    )
    op.create_index(op.f("ix_refresh_token_family"), "refresh_token", ["family"], unique=False)
    op.create_index(op.f("ix_refresh_token_user_id"), "refresh_token", ["user_id"], unique=False)
    op.create_table(
        "run_event",
        sa.Column("dag_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("try_number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False, comment="progress or result"),
        sa.Column(
            "payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_run_event_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_event")),
    )
    op.create_index(
        "ix_run_event_run", "run_event", ["org_id", "dag_id", "run_id", "id"], unique=False
    )
    op.create_table(
        "task_result",
        sa.Column("dag_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("try_number", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column(
            "load", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "transform", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "error", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organization.id"], name=op.f("fk_task_result_org_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_result")),
        sa.UniqueConstraint(
            "org_id",
            "dag_id",
            "run_id",
            "node",
            name=op.f("uq_task_result_org_id_dag_id_run_id_node"),
        ),
    )
    op.create_table(
        "upload",
        sa.Column(
            "filename", sa.String(), nullable=False, comment="As the user called it; never a path."
        ),
        sa.Column("storage_key", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes"),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_upload_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_upload_org_id_id")),
    )
    op.create_index("ix_upload_org_sha256", "upload", ["org_id", "sha256"], unique=False)
    op.create_table(
        "workflow",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("published_revision", sa.BigInteger(), nullable=True),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_workflow_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_workflow_org_id_id")),
    )
    op.create_index(
        "uq_workflow_org_id_slug_alive",
        "workflow",
        ["org_id", "slug"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "node",
        sa.Column("workflow_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("source_connection_id", sa.BigInteger(), nullable=True),
        sa.Column("destination_connection_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "config", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("retries", sa.BigInteger(), nullable=False),
        sa.Column(
            "position",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment='{"x": 0, "y": 0} or null',
        ),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="Counts edits; the ETag."),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "destination_connection_id"],
            ["connection.org_id", "connection.id"],
            name=op.f("fk_node_org_id_destination_connection_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "source_connection_id"],
            ["connection.org_id", "connection.id"],
            name=op.f("fk_node_org_id_source_connection_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "workflow_id"],
            ["workflow.org_id", "workflow.id"],
            name=op.f("fk_node_org_id_workflow_id"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_node_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_node_org_id_id")),
    )
    op.create_index(op.f("ix_node_workflow_id"), "node", ["workflow_id"], unique=False)
    op.create_index(
        "uq_node_org_id_slug_alive",
        "node",
        ["org_id", "slug"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "publication",
        sa.Column("workflow_id", sa.BigInteger(), nullable=False),
        sa.Column("workflow_slug", sa.String(), nullable=False),
        sa.Column("org_slug", sa.String(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=True),
        sa.Column(
            "spec", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "workflow_id"],
            ["workflow.org_id", "workflow.id"],
            name=op.f("fk_publication_org_id_workflow_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organization.id"], name=op.f("fk_publication_org_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
    )
    op.create_index(
        "ix_publication_workflow", "publication", ["org_slug", "workflow_slug", "id"], unique=False
    )
    op.create_table(
        "revision",
        sa.Column("workflow_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column(
            "spec", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "nodes",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            comment="slug → kind, config, dataset, connection ids: what the run context resolves.",
        ),
        sa.Column(
            "changes",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            comment="What changed since the last revision.",
        ),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "workflow_id"],
            ["workflow.org_id", "workflow.id"],
            name=op.f("fk_revision_org_id_workflow_id"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_revision_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_revision_org_id_id")),
        sa.UniqueConstraint(
            "org_id", "workflow_id", "number", name=op.f("uq_revision_org_id_workflow_id_number")
        ),
    )
    op.create_table(
        "edge",
        sa.Column("workflow_id", sa.BigInteger(), nullable=False),
        sa.Column("upstream_id", sa.BigInteger(), nullable=False),
        sa.Column("downstream_id", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "downstream_id"],
            ["node.org_id", "node.id"],
            name=op.f("fk_edge_org_id_downstream_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "upstream_id"],
            ["node.org_id", "node.id"],
            name=op.f("fk_edge_org_id_upstream_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "workflow_id"],
            ["workflow.org_id", "workflow.id"],
            name=op.f("fk_edge_org_id_workflow_id"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_edge_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_edge_org_id_id")),
    )
    op.create_index(op.f("ix_edge_workflow_id"), "edge", ["workflow_id"], unique=False)
    op.create_index(
        "uq_edge_org_id_upstream_id_downstream_id_alive",
        "edge",
        ["org_id", "upstream_id", "downstream_id"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "pipeline_lease",
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "node_id"],
            ["node.org_id", "node.id"],
            name=op.f("fk_pipeline_lease_org_id_node_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organization.id"], name=op.f("fk_pipeline_lease_org_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_lease")),
        sa.UniqueConstraint("org_id", "node_id", name=op.f("uq_pipeline_lease_org_id_node_id")),
    )
    op.create_table(
        "schedule",
        sa.Column("workflow_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=True),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("cron", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("missed_runs", sa.String(), nullable=False, comment="skip, run_once or queue"),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "node_id"],
            ["node.org_id", "node.id"],
            name=op.f("fk_schedule_org_id_node_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "workflow_id"],
            ["workflow.org_id", "workflow.id"],
            name=op.f("fk_schedule_org_id_workflow_id"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_schedule_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_schedule_org_id_id")),
    )
    op.create_index(
        "uq_schedule_org_id_workflow_id_slug_alive",
        "schedule",
        ["org_id", "workflow_id", "slug"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_schedule_org_id_workflow_id_slug_alive",
        table_name="schedule",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_table("schedule")
    op.drop_table("pipeline_lease")
    op.drop_index(
        "uq_edge_org_id_upstream_id_downstream_id_alive",
        table_name="edge",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_index(op.f("ix_edge_workflow_id"), table_name="edge")
    op.drop_table("edge")
    op.drop_table("revision")
    op.drop_index("ix_publication_workflow", table_name="publication")
    op.drop_table("publication")
    op.drop_index(
        "uq_node_org_id_slug_alive",
        table_name="node",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_index(op.f("ix_node_workflow_id"), table_name="node")
    op.drop_table("node")
    op.drop_index(
        "uq_workflow_org_id_slug_alive",
        table_name="workflow",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_table("workflow")
    op.drop_index("ix_upload_org_sha256", table_name="upload")
    op.drop_table("upload")
    op.drop_table("task_result")
    op.drop_index("ix_run_event_run", table_name="run_event")
    op.drop_table("run_event")
    op.drop_index(op.f("ix_refresh_token_user_id"), table_name="refresh_token")
    op.drop_index(op.f("ix_refresh_token_family"), table_name="refresh_token")
    op.drop_table("refresh_token")
    op.drop_index(op.f("ix_membership_user_id"), table_name="membership")
    op.drop_table("membership")
    op.drop_index(
        "uq_connection_org_id_slug_alive",
        table_name="connection",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_table("connection")
    op.drop_index("ix_audit_entry_org_time", table_name="audit_entry")
    op.drop_table("audit_entry")
    op.drop_table("user")
    op.drop_table("organization")
