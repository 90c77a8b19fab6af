"""Which of PostgreSQL's complaints a retry may mend."""

import re

_REFUSED = re.compile(
    r"authentication failed|no password supplied|does not exist|not permitted to log in"
    r"|permission denied|no pg_hba\.conf entry"
)
_PASSING = re.compile(
    r"deadlock detected|could not serialize access|tuple concurrently updated"
    r"|server closed the connection|terminating connection|connection (?:to server|already closed)"
    r"|could not connect|could not receive data|SSL SYSCALL|Connection re(?:fused|set)"
    r"|database system is|too many (?:connections|clients)|remaining connection slots"
    r"|canceling statement due to lock timeout|timeout expired"
)


def is_transient(message: str) -> bool:
    """Whether the message speaks of a lost connection, a lock or a race."""
    return bool(_PASSING.search(message)) and not _REFUSED.search(message)
