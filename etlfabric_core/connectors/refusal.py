"""How the refusals of servers are told: which field is wrong, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass

from etlfabric_core.connectors.record import ConnectorModel
from etlfabric_core.errors import FabricError


@dataclass(frozen=True)
class Refusal:
    """A part of the server's words, what we say instead, what to do, and who errs."""

    words: str
    message: str
    hint: str
    error: type[FabricError]


def told(
    words: str, refusals: Iterable[Refusal], otherwise: Refusal, config: ConnectorModel
) -> FabricError:
    """The server's words as an error of ours, which never repeats a password or a DSN."""
    known = (entry for entry in refusals if entry.words in words.lower())
    entry = next(known, otherwise)
    return entry.error(entry.message.format(**config.model_dump()), hint=entry.hint)
