"""What changed between two revisions, for people to read."""

from collections.abc import Iterable, Iterator
from typing import Any

from etlfabric_core.specs.document import ScheduleSpec
from etlfabric_core.specs.state import NOT_CONTENT, NodeSnapshot, Snapshots

Change = dict[str, Any]


def changes(
    old: Snapshots,
    new: Snapshots,
    old_schedules: Iterable[ScheduleSpec] = (),
    new_schedules: Iterable[ScheduleSpec] = (),
) -> list[Change]:
    """One entry per node that was added, removed or changed, and per schedule; sorted.

    A changed node names its fields (`config.sql`), never their values.
    """
    return [*_node_changes(old, new), *_schedule_changes(old_schedules, new_schedules)]


def _node_changes(old: Snapshots, new: Snapshots) -> Iterator[Change]:
    for slug in sorted({*old, *new}):
        if slug not in old:
            yield {"node": slug, "change": "added"}
        elif slug not in new:
            yield {"node": slug, "change": "removed"}
        elif fields := _changed_fields(old[slug], new[slug]):
            yield {"node": slug, "change": "changed", "fields": fields}


def _changed_fields(old: NodeSnapshot, new: NodeSnapshot) -> list[str]:
    before, after = _flat(old), _flat(new)
    return sorted(key for key in {*before, *after} if before.get(key, ...) != after.get(key, ...))


def _flat(node: NodeSnapshot) -> Change:
    values = node.model_dump(mode="json", exclude=NOT_CONTENT)
    config = values.pop("config")
    return values | {f"config.{key}": value for key, value in config.items()}


def _schedule_changes(old: Iterable[ScheduleSpec], new: Iterable[ScheduleSpec]) -> Iterator[Change]:
    before, after = ({one.slug or "": one for one in many} for many in (old, new))
    for slug in sorted({*before, *after}):
        if before.get(slug) == after.get(slug):
            continue
        change = "added" if slug not in before else "removed" if slug not in after else "changed"
        yield {"schedule": slug or None, "change": change}
