"""Follows the metadata service's change feed, and believes nothing that it cannot check."""

import logging
import time
from collections.abc import Callable, Collection, Iterator

from pydantic import ValidationError

from etlfabric_airflow.service import Service
from etlfabric_airflow.store import Store, write_atomically
from etlfabric_core.errors import FabricError, TransientError
from etlfabric_core.slugs import ORGANIZATION_SLUG, SLUG
from etlfabric_core.specs.document import DagSpec, Publication, PublicationPage

PAGE = 200

log = logging.getLogger(__name__)


def follow(
    store: Store, service: Service, deadline: float, expect: Callable[[Collection[str]], None]
) -> Iterator[str]:
    """Bring the store up to the feed, page by page, until `deadline` (monotonic seconds).

    What was taken over stays; what is left is for the next call. `expect` hears of a page's
    organizations before a DAG of one appears.

    Yields:
        The entry of each workflow that has a new spec.

    Raises:
        TransientError: the service was away, or answered something that is not a page.
    """
    complete = False
    while not complete and time.monotonic() < deadline:
        page = _page(service, store.followed())
        expect({one.org for one in page.publications if one.spec and not wrong_with(one)})
        for publication in page.publications:
            yield from _take_over(store, service, publication)
            store.set_followed(publication.seq)
        complete = page.complete


def _page(service: Service, after: int) -> PublicationPage:
    body = service.get("/publications", after=after, limit=PAGE)
    try:
        page = PublicationPage.model_validate_json(body)
    except ValidationError as error:
        raise _nonsense(f"{error.error_count()} errors in the page") from error
    seqs = [publication.seq for publication in page.publications]
    for wrong, what in (
        (page.after != after, f"asked after {after}, answered after {page.after}"),
        (seqs != sorted(set(seqs)), "seq does not grow"),
        (bool(seqs) and seqs[0] <= after, f"seq {seqs[:1]} is not after {after}"),
        (page.last_seq < max([after, *seqs]), f"last_seq {page.last_seq} is behind"),
        (not seqs and not page.complete, "an empty page that says more is waiting"),
        (not seqs and page.last_seq != after, "changes are announced and not delivered"),
        (page.complete and bool(seqs) and seqs[-1] != page.last_seq, "the page is cut off"),
    ):
        if wrong:
            raise _nonsense(what)
    return page


def _take_over(store: Store, service: Service, publication: Publication) -> Iterator[str]:
    """One workflow's trouble is its own: the feed goes on behind a publication that is wrong or
    whose manifest cannot be had.
    """
    entry = f"{publication.org}.{publication.workflow}"
    problem = wrong_with(publication)
    if problem:
        log.error("publication %s is refused: %s", publication.seq, problem)
    elif publication.spec is None:
        store.withdraw(entry)
    else:
        try:
            fetch_manifest(store, service, publication.spec)
        except FabricError as error:
            log.error("the manifest of %s is missing: %s", entry, error.message)
        store.publish(entry, publication.seq, publication.spec)
        yield entry


def wrong_with(publication: Publication) -> str | None:
    """Why a publication must not become a DAG; None when nothing speaks against it.

    The names become paths and DAG ids: one that reaches beyond its organization is refused.
    """
    if not ORGANIZATION_SLUG.fullmatch(publication.org) or not SLUG.fullmatch(publication.workflow):
        return "not an organization and a workflow"
    spec = publication.spec
    if spec is None:
        return None
    if (spec.org, spec.workflow) != (publication.org, publication.workflow):
        return f"the spec belongs to {spec.org}.{spec.workflow}"
    if spec.dag_id != f"{publication.org}.{publication.workflow}":
        return f"dag_id {spec.dag_id} is not its own"
    return None


def fetch_manifest(store: Store, service: Service, spec: DagSpec) -> None:
    """Have the dbt manifest of a spec on disk, verified."""
    if spec.dbt is None:
        return
    target = store.manifest_file(spec.dbt.manifest_sha256)
    if not target.exists():
        write_atomically(target, service.blob(spec.dbt.manifest_sha256))


def _nonsense(what: str) -> TransientError:
    return TransientError(
        f"the metadata service answered nonsense: {what}",
        hint="Nothing was changed. Check the service and what stands between it and Airflow.",
    )
