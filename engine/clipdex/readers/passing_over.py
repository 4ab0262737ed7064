"""What a reader passed over: how many files of each kind, and folders of systems."""

from __future__ import annotations

from collections.abc import Mapping

from clipdex.media.kinds import READ_BY_EXTRA
from clipdex.wording import counted


def said(passed_over: Mapping[str, int]) -> str:
    """Return what was passed over as a text such as ``12 .cr2, 3 .mp4, 1 @eaDir folder``, the most frequent first.

    It ends with the command that installs what reads some of it, where there is one; it is empty where nothing was
    passed over.

    Parameters
    ----------
    passed_over
        Numbers of files by their extension in lower case, and of folders by their name with a slash after it.
    """
    ordered = sorted(passed_over.items(), key=lambda pair: (pair[0].endswith("/"), -pair[1], pair[0]))
    counts = ", ".join(
        counted(count, f"{kind[:-1]} folder") if kind.endswith("/") else f"{count:,} {kind}" for kind, count in ordered
    )
    by_extra: dict[str, list[str]] = {}
    for kind, _ in ordered:
        if kind in READ_BY_EXTRA:
            by_extra.setdefault(READ_BY_EXTRA[kind], []).append(kind)
    return counts + "".join(
        f"; to read {' and '.join(kinds)}: pip install 'clipdex[{extra}]'" for extra, kinds in by_extra.items()
    )
