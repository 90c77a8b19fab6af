"""The purge of a deleted organization: the one way to take back what is append-only otherwise.

Revision: 0005
Follows: 0004

`purge_organization` runs with the rights of the tables' owner. It refuses a living organization and
one that can still be restored, so that the service's role gains no way to rewrite the living.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

SERVICE = "etlfabric_service"
# In the order of the foreign keys. What stays: the organization's row, because its slug is in the
# names of schemas and DAGs; the last lines of the feed with their workflows, because a
# dag-processor that was away learns from them that the DAGs are gone; the audit log.
EMPTIED = (
    "api_key",
    "invitation",
    "membership",
    "pipeline_lease",
    "refusal",
    "run_event",
    "task_result",
    "schedule",
    "edge",
    "node",
    "connection",
    "upload",
    "revision",
)
FUNCTION = f"""
CREATE FUNCTION public.purge_organization(purged bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entered text := current_setting('app.org_id', true);
BEGIN
    -- Row-level security binds the owner of the tables too.
    PERFORM set_config('app.org_id', purged::text, true);
    PERFORM 1 FROM public.organization
      WHERE id = purged AND deleted_at IS NOT NULL AND purge_after <= now() FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'organization % is not to be purged', purged USING ERRCODE = '42501';
    END IF;
    {" ".join(f"DELETE FROM public.{table} WHERE org_id = purged;" for table in EMPTIED)}
    DELETE FROM public.publication WHERE org_id = purged AND spec IS NOT NULL;
    DELETE FROM public.workflow WHERE org_id = purged AND id NOT IN
      (SELECT workflow_id FROM public.publication WHERE org_id = purged);
    UPDATE public.workflow SET name = '', description = '', deleted_at = coalesce(deleted_at, now())
      WHERE org_id = purged;
    UPDATE public.organization
      SET name = '', description = '', warehouse_password = '', purged_at = now()
      WHERE id = purged;
    PERFORM set_config('app.org_id', coalesce(entered, ''), true);
END $$
"""  # noqa: S608 - of names that are written above


def upgrade() -> None:
    op.execute(FUNCTION)
    op.execute("REVOKE EXECUTE ON FUNCTION public.purge_organization(bigint) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION public.purge_organization(bigint) TO {SERVICE}")


def downgrade() -> None:
    op.execute("DROP FUNCTION public.purge_organization(bigint)")
