"""The steps of a change of the encryption keys, in an order that no request and no run notices."""

from collections import Counter
from pathlib import Path

import typer

from cli.operator import key_file
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.engine import Sessions
from etlfabric_core.errors import Conflict, InvalidConfig
from etlfabric_core.services import key_rotation
from etlfabric_core.settings import Settings


async def status(settings: Settings, sessions: Sessions) -> None:
    """Prints the keys in force, and how many stored secrets each of them has sealed."""
    box = _box(settings)
    found = await key_rotation.count(sessions, box)
    _print(box, found)


async def rotate(settings: Settings, sessions: Sessions, *, timeout_s: float) -> None:
    """A new key, every secret sealed with it, and no other key any more.

    Raises:
        InvalidConfig: the keys are not in a file, or it cannot be replaced.
        Conflict: another command changes the keys, or a secret cannot be opened.
        TransientError: a transaction stays open for longer than the timeout, in seconds.
    """
    path = _file(settings)
    with key_file.locked(path):
        key = key_file.add(path)  # first it opens everywhere, then it seals
        key_file.promote(path, key)
        # What was sealed with an older key meanwhile is stored once its transaction is over.
        await key_rotation.settled(sessions, timeout_s=timeout_s)
        await reseal(settings, sessions)
        # Whoever has read an old value has opened it once its transaction is over.
        await key_rotation.settled(sessions, timeout_s=timeout_s)
        await _check_done(settings, sessions)
        typer.echo(f"removed {key_file.prune(path)} older keys from {path}")
    typer.echo("older backups of the database still need them")


async def reseal(settings: Settings, sessions: Sessions) -> None:
    """Seals every secret with the newest key.

    Raises:
        Conflict: a secret cannot be opened.
    """
    box = _box(settings)
    done = await key_rotation.reseal(sessions, box)
    typer.echo(f"sealed {done.rows} secrets with key {box.keys.newest().id}")
    if done.unreadable:
        raise Conflict(
            f"no key opens {', '.join(done.unreadable)}",
            hint="add the key that sealed them; if it is lost, enter those secrets again",
        )


async def _check_done(settings: Settings, sessions: Sessions) -> None:
    box = _box(settings)
    found = await key_rotation.count(sessions, box)
    if set(found) - {box.keys.newest().id}:
        _print(box, found)
        raise Conflict(
            "secrets are left under older keys, which therefore stay",
            hint="run the command again",
        )


def _print(box: SecretBox, found: Counter[str | None]) -> None:
    newest = box.keys.newest().id
    for key in box.keys.all():
        does = "seals and opens" if key.id == newest else "opens"
        typer.echo(f"{key.id}  {does:15}  {found.pop(key.id, 0)} secrets")
    for id, rows in found.items():
        typer.echo(f"{id or 'unknown':8}  {'not in force':15}  {rows} secrets")


def _box(settings: Settings) -> SecretBox:
    return SecretBox(settings.key_ring(), settings.cipher)


def _file(settings: Settings) -> Path:
    if settings.encryption_keys_file is None:
        raise InvalidConfig(
            "the keys are in ETLFABRIC_ENCRYPTION_KEYS, which a command cannot change",
            hint="move them into a file that ETLFABRIC_ENCRYPTION_KEYS_FILE names; or put a new "
            "key behind the others, restart every process, put it in front, restart again, run "
            "`etlfabric keys reseal`, and remove the old ones",
        )
    return settings.encryption_keys_file
