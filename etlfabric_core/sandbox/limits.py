"""What a call may use, and how much of its folder it has used."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etlfabric_core.sandbox.relay import Gate

_MOST_ENTRIES = 20_000


@dataclass(frozen=True)
class Policy:
    """What a call may use. Times are seconds, sizes bytes.

    There is no network. With a `gate` the child finds one TCP port on 127.0.0.1, named by
    `GATE_PORT` in its environment, which the gate answers in the caller's process.
    `environment` is all the environment it gets. `disk_bytes` counts all that lies in `work_dir`;
    a file that was deleted while it is open is bounded by `file_bytes` and `open_files` alone.
    Log lines beyond `log_bytes` are left out, answers beyond `answer_bytes` end the call.
    """

    work_dir: Path
    gate: Gate | None = None
    environment: dict[str, str] = field(default_factory=dict)
    wall_seconds: float = 60.0
    cpu_seconds: int = 60
    memory_bytes: int = 3 << 30
    disk_bytes: int = 2 << 30
    file_bytes: int = 1 << 30
    open_files: int = 128
    threads: int = 64
    answer_bytes: int = 64 << 20
    log_bytes: int = 4 << 20

    def for_child(self) -> dict[str, Any]:
        """What the child has to know, as JSON."""
        return {
            "work_dir": str(self.work_dir.resolve()),
            "gate": self.gate is not None,
            "environment": self.environment,
            "cpu_seconds": self.cpu_seconds,
            "memory_bytes": self.memory_bytes,
            "file_bytes": self.file_bytes,
            "open_files": self.open_files,
            "threads": self.threads,
        }


def too_much_in(policy: Policy) -> str | None:
    """What the child has too much of in its folder; None while all is well."""
    size = entries = 0
    folders = [policy.work_dir]
    while folders:
        try:
            with os.scandir(folders.pop()) as listing:
                for entry in listing:
                    entries += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    if size > policy.disk_bytes:
                        return f"wrote more than {policy.disk_bytes >> 20} MB"
                    if entries > _MOST_ENTRIES:
                        return f"made more than {_MOST_ENTRIES} files"
        except FileNotFoundError:
            continue  # the child removed it just now
        except OSError as error:  # without rights, or deeper than a path can be long
            return f"made a folder that nobody can look into ({error.strerror})"
    return None
