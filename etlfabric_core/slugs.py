"""Names that are safe everywhere: dag ids, task ids, database identifiers, file names.

An organization's slug has no underscore and no slug has two in a row, so `<org>_<dataset>` and
`<org>.<workflow>` are each written by exactly one pair of slugs.
"""

import re
import unicodedata

ORGANIZATION_SLUG = re.compile(r"[a-z][a-z0-9]{0,23}")
SLUG = re.compile(r"(?=.{1,40}\Z)[a-z](_?[a-z0-9])*")
RESERVED_ORGANIZATIONS = frozenset({"pg", "airflow", "etlfabric", "public", "postgres"})
STAGING_SUFFIX = "_staging"


def slugify(name: str) -> str:
    """A slug made from a name: ASCII, lower case, words joined by one underscore."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", ascii_name.lower())
    slug = "_".join(words)[:40].strip("_")
    return slug if SLUG.fullmatch(slug) else f"n_{slug}"[:40].strip("_")


def organization_slug(name: str) -> str:
    """The slug of an organization: one word of at most 24 letters and digits."""
    slug = slugify(name).replace("_", "")[:24]
    return f"{slug}org"[:24] if slug in RESERVED_ORGANIZATIONS or slug == "n" else slug


def dag_id(organization: str, workflow: str, schedule: str | None = None) -> str:
    """The Airflow id of a workflow, or of one of its partial schedules."""
    return ".".join(filter(None, (organization, workflow, schedule)))


def physical_dataset(organization: str, dataset: str) -> str:
    """The schema that a dataset has in the managed warehouse."""
    return f"{organization}_{dataset}"


def warehouse_role(organization: str) -> str:
    """The database role of an organization in the managed warehouse."""
    return f"org_{organization}"
