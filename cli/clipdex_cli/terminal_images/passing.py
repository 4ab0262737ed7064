"""Passing sequences through tmux, where its option ``allow-passthrough`` is on."""

from __future__ import annotations

ESCAPE = "\x1b"


def passed(sequence: str, *, multiplexed: bool) -> str:
    """Return a sequence as tmux passes it on to its terminal, or unchanged without tmux."""
    if not multiplexed or not sequence:
        return sequence
    return f"{ESCAPE}Ptmux;{sequence.replace(ESCAPE, ESCAPE * 2)}{ESCAPE}\\"
