"""Text that a container or somebody's record wrote, short and harmless enough for one of our sentences."""

_MOST = 200


def shortened(text: str) -> str:
    """Return at most 200 visible characters of a text; what is not printable ASCII is escaped."""
    safe = "".join(c if c.isascii() and c.isprintable() else f"\\x{ord(c):02x}" for c in text[: _MOST + 1])
    return safe if len(safe) <= _MOST else safe[:_MOST] + "…"
