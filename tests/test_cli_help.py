"""Help is short, complete, and leads on: groups of options, usage lines, ``clipdex help``, and a build of nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import click
import pytest

from clipdex_cli.help_pages import _GROUPS, COMMON, OTHER, Command
from clipdex_cli.main import cli as program
from helpers_engine import make_folder

WIDTH = 80


def all_commands(group=program, path=()):
    """Each command with the names that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))


COMMANDS = dict(all_commands())
LEAVES = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


def help_of(cli, monkeypatch, *path):
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    done = cli(*path, "--help")
    assert done.code == 0
    return done.lines


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_80_columns(cli, monkeypatch, path):
    lines = help_of(cli, monkeypatch, *path)
    assert [line for line in lines if len(line) > WIDTH] == []


@pytest.mark.parametrize("path", [(), ("model",), ("project",)], ids=" ".join)
def test_lists_of_commands_cut_no_sentence(cli, monkeypatch, path):
    lines = help_of(cli, monkeypatch, *path)
    listed = lines[lines.index("Commands:") + 1 :]
    assert listed
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_usage_says_what_is_required_and_options_come_last(cli, monkeypatch, path):
    command = LEAVES[path]
    assert isinstance(command, Command)
    usage = " ".join(" ".join(help_of(cli, monkeypatch, *path)).partition("  Usage")[0].split())
    usage = usage[: usage.index("[OPTIONS]") + len("[OPTIONS]")]
    assert usage.startswith(f"Usage: clipdex {' '.join(path)}")
    if command.usage is None:
        words = [param.make_metavar(click.Context(command)) for param in command.params if param.required]
        words += [param.opts[0] for param in command.params if isinstance(param, click.Option) and param.required]
        assert [word for word in words if f" {word} " not in usage or f"[{word}]" in usage] == []
        optional = [param for param in command.params if isinstance(param, click.Argument) and not param.required]
        assert [param for param in optional if not param.make_metavar(click.Context(command)).startswith("[")] == []


@pytest.mark.parametrize("name", ["query", "explore"])
def test_help_of_queries_begins_with_one_screen_of_common_options(cli, monkeypatch, name):
    lines = help_of(cli, monkeypatch, name)
    titles = [line.rstrip(":") for line in lines if re.fullmatch(r"[A-Z].*:", line)]
    assert titles == [COMMON, *_GROUPS]
    assert lines.index(f"{titles[1]}:") <= 36
    common = "\n".join(lines[lines.index(f"{COMMON}:") : lines.index(f"{titles[1]}:")])
    for flag in ("--text", "--image", "--item", "-k", "--label", "--output", "--save", "--output-dir", "--help"):
        assert flag in common


@pytest.mark.parametrize("path", [path for path, command in LEAVES.items() if command.common], ids=" ".join)
def test_each_option_is_in_one_group(cli, monkeypatch, path):
    text = "\n".join(help_of(cli, monkeypatch, *path)).partition(f"{COMMON}:")[2]
    assert OTHER not in text
    for option in LEAVES[path].params:
        if isinstance(option, click.Option):
            found = re.findall(rf"^  (?:-\S+, )*{re.escape(option.opts[-1])}(?:[ []|$)", text, re.MULTILINE)
            assert len(found) == 1, option.opts


def test_groups_name_options_that_are_there():
    there = {param.name for command in LEAVES.values() for param in command.params}
    assert {name for group in _GROUPS.values() for name in group} <= there
    assert {name for command in LEAVES.values() for name in command.common} <= there


@pytest.mark.parametrize("path", [(), ("query",), ("model",), ("model", "pull"), ("project", "run")], ids=" ".join)
def test_help_command_is_the_help_option(cli, path):
    asked = cli("help", *path)
    assert (asked.code, asked.out) == (0, cli(*path, "--help").out)


@pytest.mark.parametrize("path", [("quer",), ("model", "pul"), ("nothing-like-it",)], ids=" ".join)
def test_help_of_an_unknown_command_is_the_error_of_that_command(cli, path):
    asked, command = cli("help", *path), cli(*path)
    assert (asked.code, asked.out) == (2, b"")
    assert asked.err == command.err


def test_help_of_what_is_below_a_command_is_wrong_usage(cli):
    done = cli("help", "query", "more")
    assert (done.code, "query has no commands" in done.err) == (2, True)


def test_build_without_a_target_offers_the_current_folder(cli, tmp_path, monkeypatch):
    done = cli("build")
    assert (done.code, "has no images" in done.err) == (2, True)
    monkeypatch.chdir(make_folder(tmp_path / "data", "a.png", "x/b.jpg", "x/.hidden.png"))
    done = cli("build")
    assert done.code == 2
    assert "holds 2 images: clipdex build ." in done.err
    assert not (tmp_path / "data" / ".clipdex").exists()
    assert cli("build", ".", "--quiet").code == 0
    done = cli("build")
    assert (done.code, "up to date: clipdex build ." in done.err) == (2, True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 2), (b"\n", 2)])
def test_build_without_a_target_asks_on_a_terminal(tmp_path, answer, code):
    import pty

    root = make_folder(tmp_path / "data", "a.png")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "clipdex_cli", "build"], stdin=follower, stdout=follower, stderr=follower, cwd=root
    )
    os.close(follower)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(leader, 65536)
    assert b"holds 1 image?" in seen
    os.write(leader, answer)
    try:
        while os.read(leader, 65536):
            pass
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(leader)
    assert process.wait(timeout=60) == code
    assert (root / ".clipdex").exists() == (code == 0)


def test_lists_of_commands_say_what_the_help_of_each_begins_with():
    groups = {(): program, **{path: command for path, command in COMMANDS.items() if isinstance(command, click.Group)}}
    for path, group in groups.items():
        for name in group.list_commands(click.Context(group)):
            assert group._summaries[name] == COMMANDS[*path, name].get_short_help_str(200)


def test_the_process_ends_at_once_and_does_what_was_left_for_its_end(tmp_path):
    code = """
import atexit, sys
from clipdex_cli.__main__ import leave
class Slow:
    def __del__(self):
        print("taken apart")
slow = Slow()
atexit.register(print, "at exit")
print("printed")
sys.stderr.write("said")
leave(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "printed\nat exit\n", "said")


def test_the_process_waits_for_threads_at_its_end():
    code = """
import threading, time
from clipdex_cli.__main__ import leave
threading.Thread(target=lambda: (time.sleep(0.2), print("done"))).start()
leave(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n")
