"""Keys and certificates as PEM text, pasted into forms."""

import re
import textwrap

BLOCK = re.compile(r"(-----BEGIN [A-Z0-9 ]+-----)([A-Za-z0-9+/=\s]+)(-----END [A-Z0-9 ]+-----)")


def whole_pem(text: str) -> str:
    """The text with the line breaks that a field of one line takes away."""

    def block(found: re.Match[str]) -> str:
        lines = textwrap.wrap("".join(found[2].split()), 64)
        return "\n".join([found[1], *lines, found[3], ""])

    return BLOCK.sub(block, text)
