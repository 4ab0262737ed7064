"""Pictures on a terminal: the bytes of each protocol, and which one a terminal is taken to have."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from clipdex_cli.terminal_images import blocks, iterm2, kitty, sixel
from clipdex_cli.terminal_images.beside import TAKEN, indented, with_picture, with_reason
from clipdex_cli.terminal_images.drawing import box_of, draw
from clipdex_cli.terminal_images.drawn import COLUMNS, ROWS, Drawn
from clipdex_cli.terminal_images.passing import passed
from clipdex_cli.terminal_images.terminals import KINDS, Terminal, terminal_of
from helpers_engine import picture, solid

RED, GREEN = (255, 0, 0), (0, 255, 0)
TWO = Image.new("RGB", (1, 2), RED)
TWO.putpixel((0, 1), GREEN)


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_kitty_is_sent_a_png_in_one_sequence():
    data = base64.b64encode(png(TWO)).decode()
    assert kitty.draw(TWO, 3, 2) == Drawn(3, 2, f"\x1b_Ga=T,f=100,q=2,C=1,c=3,r=2,m=0;{data}\x1b\\")


@pytest.mark.parametrize("multiplexed", [False, True])
def test_a_picture_is_not_stretched_over_the_cells_of_kitty(multiplexed):
    image = picture(3, (55, 41))
    drawn = draw(image, Terminal("kitty", multiplexed, cell=(10, 20)))
    assert (drawn.columns, drawn.rows) == (6, 3)
    text = "".join(re.findall(r"\x1b_G[^;]*;([A-Za-z0-9+/=]+)", drawn.sequence))
    sent = Image.open(io.BytesIO(base64.b64decode(text)))
    assert sent.size == (60, 60)
    assert sent.convert("RGB").crop((0, 0, 55, 41)).tobytes() == image.convert("RGB").tobytes()
    assert not np.asarray(sent)[41:, :, 3].any()
    assert not np.asarray(sent)[:, 55:, 3].any()


def test_kitty_is_sent_a_large_png_in_chunks():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8))
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", kitty.draw(noise, 3, 2).sequence)
    assert [keys for keys, _ in parts] == [
        "a=T,f=100,q=2,C=1,c=3,r=2,m=1",
        *["m=1"] * (len(parts) - 2),
        "m=0",
    ]
    assert len(parts) > 2
    assert {len(data) for _, data in parts[:-1]} == {4096}
    assert base64.b64decode("".join(data for _, data in parts)) == png(noise)


def test_inside_tmux_kitty_draws_where_the_text_is():
    drawn = kitty.draw(TWO, 2, 2, multiplexed=True)
    number = int(re.search(r",i=(\d+),", drawn.sequence)[1])
    data = base64.b64encode(png(TWO)).decode()
    assert drawn.sequence == (f"\x1bPtmux;\x1b\x1b_Ga=T,U=1,f=100,q=2,i={number},c=2,r=2,m=0;{data}\x1b\x1b\\\x1b\\")
    cell, highest = "\U0010eeee", kitty._NUMBERS[number >> 24]
    assert 1 <= number & 0xFFFFFF <= 255
    assert drawn.lines == tuple(
        f"\x1b[38;5;{number & 255}m{cell}{row}\u0305{highest}{cell}{row}\u030d{highest}\x1b[39m"
        for row in ("\u0305", "\u030d")
    )


def test_iterm2_is_sent_a_file():
    data = png(TWO)
    assert iterm2.draw(TWO, 3, 2).sequence == (
        f"\x1b]1337;File=inline=1;size={len(data)};width=3;height=2;preserveAspectRatio=1;doNotMoveCursor=1:"
        f"{base64.b64encode(data).decode()}\x07"
    )


def test_sixels_of_one_colour_are_repeated():
    drawn = sixel.draw(solid((255, 128, 0), (5, 7)), 1, 1)
    assert drawn == Drawn(1, 1, '\x1bP0;1q"1;1;5;7#0;2;100;50;0#0!5~-#0!5@\x1b\\')


def sixels_decoded(sequence: str) -> np.ndarray:
    """Read a picture of sixels as a terminal does; what no sixel sets is black."""
    width, height, body = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', sequence, re.DOTALL).groups()
    pixels = np.zeros((int(height) + 6, int(width), 3))
    colours: dict[int, tuple[int, ...]] = {}
    colour, x, y = 0, 0, 0
    for token in re.findall(r"#\d+(?:;2;\d+;\d+;\d+)?|!\d+.|.", body):
        if token.startswith("#"):
            colour, *defined = map(int, re.findall(r"\d+", token))
            if defined:
                colours[colour] = tuple(defined[1:])
        elif token == "$":
            x = 0
        elif token == "-":
            x, y = 0, y + 6
        else:
            count, bits = int(token[1:-1] or 1) if len(token) > 1 else 1, ord(token[-1]) - 63
            for row in range(6):
                if bits >> row & 1:
                    pixels[y + row, x : x + count] = colours[colour]
            x += count
    assert not pixels[int(height) :].any()
    return pixels[: int(height)] * 2.55


def test_sixels_are_the_picture_in_few_colours():
    image = picture(3, (50, 32))
    shown = sixels_decoded(sixel.draw(image, 5, 2).sequence)
    assert shown.shape == (32, 50, 3)
    # Colours that there are not are mixed of those of neighbours.
    mixed, wanted = (Image.fromarray(np.uint8(one)).reduce(4) for one in (shown, np.asarray(image)))
    assert np.abs(np.asarray(mixed, np.float64) - np.asarray(wanted, np.float64)).mean() < 8
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) <= 64


def test_half_blocks_are_two_pixels_high():
    image = Image.new("RGB", (3, 3), RED)
    image.paste(GREEN, (0, 1, 3, 2))
    assert blocks.draw(image) == Drawn(
        3,
        2,
        lines=(
            "\x1b[38;2;255;0;0;48;2;0;255;0m▀▀▀\x1b[0m",
            "\x1b[38;2;255;0;0;49m▀▀▀\x1b[0m",
        ),
    )


def test_half_blocks_of_256_colours_take_the_nearest():
    image = Image.new("RGB", (2, 2), (250, 100, 5))
    image.putpixel((1, 1), (0, 0, 0))
    assert blocks.draw(image, colours=False).lines == ("\x1b[38;5;202;48;5;202m▀\x1b[38;5;202;48;5;16m▀\x1b[0m",)


def test_tmux_passes_on_what_is_marked_for_it():
    assert passed("\x1b[0m", multiplexed=False) == "\x1b[0m"
    assert passed("\x1b]1337;x\x07", multiplexed=True) == "\x1bPtmux;\x1b\x1b]1337;x\x07\x1b\\"
    assert passed("", multiplexed=True) == ""
    assert sixel.draw(TWO, 1, 1, multiplexed=True).sequence.startswith("\x1bPtmux;\x1b\x1bP0;1q")


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, "none"),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, "none"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({"TERM": "linux"}, "blocks"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "footless"}, "blocks"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230800"}, "kitty"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "211203"}, "blocks"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "new"}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/x", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"TERM": "screen-256color"}, "blocks"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value,
)
def test_the_environment_says_which_protocol_a_terminal_has(environment, kind):
    assert terminal_of("auto", environment).kind == kind
    for asked in KINDS[1:]:
        assert terminal_of(asked, environment).kind == asked


def test_tmux_and_colours_are_known_from_the_environment():
    assert terminal_of("kitty", {"TMUX": "x"}).multiplexed
    assert terminal_of("kitty", {"TERM": "tmux-256color"}).multiplexed
    assert not terminal_of("kitty", {"TERM": "xterm-kitty"}).multiplexed
    assert terminal_of("auto", {"TERM": "xterm", "COLORTERM": "truecolor"}).colours
    assert not terminal_of("auto", {"TERM": "xterm"}).colours


@pytest.mark.parametrize("kind", KINDS[1:-1])
@pytest.mark.parametrize("size", [(200, 180), (200, 10), (10, 180), (1, 1)])
def test_a_picture_takes_no_more_cells_than_there_are_for_it(kind, size):
    terminal = Terminal(kind)
    width, height = box_of(terminal)
    image = picture(1, (max(1, min(size[0], width)), max(1, min(size[1], height))))
    drawn = draw(image, terminal)
    assert 1 <= drawn.columns <= COLUMNS
    assert 1 <= drawn.rows <= ROWS


def test_text_stands_beside_a_picture():
    assert indented("head") == " " * TAKEN + "head\n"
    assert with_reason("no such file", "line") == "no such file".ljust(TAKEN) + "line\n\n"
    assert with_reason("x" * 50, "line").startswith("x" * (COLUMNS - 1) + "…  line")
    text = Drawn(2, 2, lines=("ab", "cd"))
    assert with_picture(text, "line", fits=True) == "ab" + " " * (TAKEN - 2) + "line\ncd\n\n"
    graphic = Drawn(2, 3, "PICTURE")
    assert with_picture(graphic, "line", fits=True) == (f"\n\n\n\x1b[3A\x1b7PICTURE\x1b8\x1b[{TAKEN}Cline\r\x1b[3B\n")
    assert with_picture(text, "long", fits=False) == f"{indented('long')}ab\ncd\n\n"
