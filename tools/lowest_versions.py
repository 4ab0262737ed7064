"""Print the lowest versions that ``pyproject.toml`` allows for what clipdex needs, as constraints of pip."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def lowest_versions(pyproject: str) -> list[str]:
    """Return a line ``name==version`` for each dependency.

    Raises
    ------
    ValueError
        When a dependency has no lower bound.
    """
    lines = []
    for requirement in tomllib.loads(pyproject)["project"]["dependencies"]:
        found = re.fullmatch(r"([\w.-]+)(?:\[[^]]*\])?\s*>=\s*([\w.]+)(?:,[^;]*)?(?:;.*)?", requirement)
        if found is None:
            raise ValueError(f"{requirement!r} has no lower bound: write it as name>=version")
        lines.append("==".join(found.groups()))
    return lines


if __name__ == "__main__":
    print("\n".join(lowest_versions(PYPROJECT.read_text(encoding="utf-8"))))
