"""``--preview`` on a terminal, and elsewhere."""

from __future__ import annotations

import os
import re
import struct
import sys

import pytest

from helpers_engine import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


def on_a_terminal(*arguments, **environment) -> str:
    """Run a command line on a terminal of 100 x 40 cells of 10 x 20 pixels, and return what it writes."""
    import fcntl
    import pty
    import subprocess
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 1000, 800))
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "XDG_STATE_HOME", "TMPDIR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "clipdex_cli", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**kept, **environment},
        cwd=REPOSITORY,
    )
    os.close(theirs)
    written = b""
    try:
        while block := os.read(ours, 1 << 16):
            written += block
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0, written.decode()
    return written.decode().replace("\r\n", "\n")


def test_a_terminal_shows_a_picture_beside_each_hit(photos):
    ask = ("query", photos, "--item", "plants/dahlia", "-k", "2", "--preview")
    written = on_a_terminal(*ask, TERM="xterm-kitty")
    assert written.count("\x1b_Ga=T,") == 2
    assert re.search(r"\x1b8\x1b\[22C   1         0  \|\|\| strong  plants/dahlia.jpg", written)
    written = on_a_terminal(*ask, TERM="xterm", COLORTERM="truecolor")
    assert "\x1b_G" not in written
    lines = re.sub(r"\x1b\[[0-9;]*m", "", written).splitlines()
    assert re.fullmatch(r" {22}rank  distance  strength +id +labels", lines[0])
    assert re.fullmatch(r"▀{20} {4} 1         0  \|\|\| strong  plants/dahlia.jpg +plants", lines[1])


def test_duplicates_show_pictures_and_an_unread_one_says_why(odd_copy):
    ask = ("duplicates", odd_copy, "--max-distance", "300", "--quiet", "--preview=sixel")
    (odd_copy / "loose.png").write_bytes(b"no image")
    written = on_a_terminal(*ask, TERM="xterm")
    assert written.count("\x1bP0;1q") == 5
    assert re.search(r"^not an image in a f…  .*loose.png", written, re.MULTILINE)


def test_a_terminal_without_pictures_is_said_to_have_none(photos):
    written = on_a_terminal("query", photos, "--item", "plants/dahlia", "-k", "1", "--preview", TERM="dumb")
    assert "--preview=blocks" in written
    assert "plants/dahlia.jpg" in written


@pytest.mark.parametrize("preview", ["--preview", "--preview=kitty"])
def test_a_pipe_gets_no_pictures(cli, photos, preview):
    plain = cli("query", photos, "--item", "plants/dahlia", "-k", "3")
    done = cli("query", preview, photos, "--item", "plants/dahlia", "-k", "3")
    assert (done.code, done.out) == (0, plain.out)
    assert "no terminal" in done.err
    done = cli("duplicates", preview, photos, "--quiet")
    assert (done.code, "no terminal" in done.err) == (0, True)
    assert cli("query", "--preview=none", photos, "--item", "plants/dahlia").err == ""


def test_preview_goes_with_a_table(cli, photos):
    for output in ("json", "csv", "paths"):
        done = cli("query", photos, "--item", "plants/dahlia", "--preview", "--output", output)
        assert (done.code, "--output table" in done.err) == (2, True)
    done = cli("query", photos, "--item", "plants/dahlia", "--preview=vt100")
    assert (done.code, "kitty" in done.err) == (2, True)


def test_preview_takes_no_value_without_an_equals_sign(cli, photos):
    assert cli("query", "--item", "plants/dahlia", "--preview", photos).code == 0
    assert cli("explore", "--preview", photos, "--item", "plants/dahlia").code == 0
    assert cli("duplicates", "--preview", photos, "--quiet").code == 0
