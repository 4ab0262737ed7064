"""The commands that the pages of the documentation show, and what they print."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from clipdex_cli.main import run
from helpers_engine import REPOSITORY

CLONE = "/home/you/clipdex"  # where the pages have the repository
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)")
_COUNTS = re.compile(r"\b(added|unchanged|images?|items?|groups?|hits?|files?|segments?|photos)\b")
# What a build says every few seconds; a slow machine gets to it.
_PROGRESS = re.compile(r".*: ([\d,]+ of [\d,]+ images, .*|[\d,]+ files found)")
_TIMES = re.compile(r"\d+\.\d+ s(, \d+ images/s)?(?=; model)")


def pages() -> list[Path]:
    """All pages that people read."""
    return [
        *(REPOSITORY / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "benchmarks/README.md")),
        *sorted((REPOSITORY / "docs").rglob("*.md")),
    ]


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def steps(text: str) -> list[tuple[str, list[str]]]:
    """Each command that a page shows, with the lines that it shows below it."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks(text, "console"):
        assert block.startswith("$ "), block
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def perform(command: str, capfd, monkeypatch) -> tuple[list[str], list[str]]:
    """Do what a page says, in this process where it can be done; return the lines on standard output and error."""
    words = shlex.split(command)
    if words[0] == "cd":
        monkeypatch.chdir(words[1])
    elif words[0] == "clipdex":
        code = run(words[1:])
        printed = capfd.readouterr()
        failed = command.startswith("clipdex project run") and "not as recorded" in printed.out
        assert code == failed, printed.err
        said = [line for line in printed.err.splitlines() if not _PROGRESS.fullmatch(line)]
        return printed.out.splitlines(), said
    else:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(
            command, shell=True, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
    return [], []


def differences(printed: list[str], shown: list[str], clone: Path) -> str:
    """Say where what was printed is not what is shown: times may differ, and distances by a few bits."""
    at = 0
    for number, line in enumerate(shown):
        if line == "...":
            continue
        while shown[number - 1] == "..." and number and at < len(printed) and not _alike(printed[at], line, clone):
            at += 1
        if at == len(printed):
            return f"not printed: {line}"
        if not _alike(printed[at], line, clone):
            return f"{printed[at]!r} is shown as {line!r}"
        at += 1
    return f"not shown: {printed[at:]}" if at < len(printed) and shown[-1:] != ["..."] else ""


def _alike(printed: str, shown: str, clone: Path) -> bool:
    ours, theirs = (_parts(line) for line in (printed.replace(str(clone), CLONE), shown))
    counts = _COUNTS.search(shown) is not None
    return ours[::2] == theirs[::2] and all(
        one == other or _is_near(one, other, counts) for one, other in zip(ours[1::2], theirs[1::2], strict=True)
    )


def _is_near(one: str, other: str, counts: bool) -> bool:
    """Whether numbers may be of the same thing: processors round differently, by a few bits of a hash key.

    Ranks and counts are small, or stand in a line that names what is counted. They must be the same.
    """
    whole = one.isdigit() and other.isdigit()
    if whole and (counts or len(one) > 3 or min(int(one), int(other)) < 20):
        return False
    return abs(float(one) - float(other)) <= 5


def _parts(line: str) -> list[str]:
    """Cut a line into what is between numbers, and numbers; without times, and with one space for many."""
    return _NUMBER.split(" ".join(_TIMES.sub("TIME", line).split()))
