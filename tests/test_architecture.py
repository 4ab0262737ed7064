"""The map of the rooms in ARCHITECTURE.md: every module is in exactly one, and what it names is there."""

from __future__ import annotations

import re

import pytest

from helpers_engine import REPOSITORY

TEXT = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
ROOMS = re.findall(r"^\| `((?:cli|engine|indexes)/[^`]+)` \|", TEXT, re.MULTILINE)
STOPS = re.findall(r"^\d+\. (.+)$", TEXT, re.MULTILINE)
MODULES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for part in ("cli", "engine", "indexes")
    for path in (REPOSITORY / part).rglob("*.py")
)


def rooms_of(module: str) -> list[str]:
    """The rooms that hold a module: the row of its folder, unless it has a row of its own."""
    return [room for room in ROOMS if module == room] or [
        room for room in ROOMS if f"{module.rpartition('/')[0]}/" == room
    ]


def test_every_module_is_in_exactly_one_room():
    assert {module: rooms for module in MODULES if len(rooms := rooms_of(module)) != 1} == {}


def test_every_room_holds_a_module():
    held = {room for module in MODULES for room in rooms_of(module)}
    assert [room for room in ROOMS if room not in held] == []
    assert len(ROOMS) == len(set(ROOMS))


@pytest.mark.parametrize("stop", STOPS)
def test_the_stops_of_a_way_name_functions_that_are_there(stop):
    """Names in a stop stand in one of the modules that follow them."""
    named = re.findall(r"`([^`]+)`", stop)
    pending: list[str] = []
    checked = 0
    for name in named:
        if not name.endswith(".py"):
            pending.append(name.rpartition(".")[2])
            continue
        files = [module for module in MODULES if module.endswith(f"/{name}")]
        assert len(files) == 1, name
        source = (REPOSITORY / files[0]).read_text(encoding="utf-8")
        for wanted in pending:
            assert re.search(rf"^ *(?:def|class) {wanted}\b", source, re.MULTILINE), (wanted, name)
            checked += 1
        pending = []
    assert checked
    assert not pending


def test_the_files_that_hold_what_must_never_be_are_there():
    for name in re.findall(r"`(?:tests/)?(test_\w+\.py)`", TEXT):
        assert (REPOSITORY / "tests" / name).is_file(), name


def test_the_map_fits_two_screens():
    assert len(TEXT.splitlines()) <= 100
