"""Tables: names stay whole, other columns are bounded, on terminals and in pipes."""

from __future__ import annotations

import io
import sys

import pytest

from clipdex_cli.printing import write
from clipdex_cli.tables import table


@pytest.fixture
def terminal(monkeypatch):
    """Let standard output be a terminal of this many columns."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def of(columns):
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "dumb")

    return of


LONG = "very-long-name/" * 20 + "a.jpg"


def test_a_column_in_a_pipe_is_cut_with_an_ellipsis():
    lines = table({"id": ["a", "b"], "labels": ["x" * 10_000, "dog"]}, names=("id",)).splitlines()
    assert lines == ["id  labels", f"a   {'x' * 59}…", "b   dog"]


def test_names_are_never_cut_and_do_not_widen_the_lines_of_others(terminal):
    columns = {"rank": ["1", "2"], "id": [LONG, "b.jpg"], "labels": ["dog", "cat"]}
    piped = table(columns, numbers=("rank",), names=("id",)).splitlines()
    assert piped[1] == f"   1  {LONG}  dog"
    assert len(piped[2]) < 120
    terminal(80)
    shown = table(columns, numbers=("rank",), names=("id",)).splitlines()
    assert shown[1] == f"   1  {LONG}  dog"
    assert len(shown[2]) <= 80
    assert shown[2].split() == ["2", "b.jpg", "cat"]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_columns_share_a_terminal(terminal, columns):
    terminal(columns)
    rows = {"rank": ["1"], "query": ["q" * 100], "id": ["animals/cat.jpg"], "labels": ["l" * 100], "subset": ["val"]}
    head, row = table(rows, numbers=("rank",), names=("id",)).splitlines()
    assert len(head) == columns
    assert "animals/cat.jpg" in row
    assert " val" in row
    assert row.count("…") == 2
    assert [head.index(title) for title in ("id", "labels")] == [row.index("animals"), row.index("l" * 5)]


def test_wide_characters_count_twice(terminal):
    terminal(40)
    rows = table({"id": ["猫/一.jpg", "b.jpg"], "labels": ["犬" * 40, "dog"]}, names=("id",)).splitlines()
    assert rows[2] == "b.jpg      dog"
    assert rows[1] == f"猫/一.jpg  {'犬' * 14}…"


def test_prose_is_wrapped_at_words_on_a_terminal_and_whole_in_a_pipe(terminal):
    about = "a table of paths, with ids, subsets and labels where it has them"
    piped = table({"format": ["csv", "zip"], "about": [about, ""]}, names=("format",), prose="about").splitlines()
    assert piped == ["format  about", f"csv     {about}", "zip"]
    terminal(40)
    shown = table({"format": ["csv", "zip"], "about": [about, ""]}, names=("format",), prose="about").splitlines()
    assert all(len(line) <= 40 for line in shown)
    assert " ".join(" ".join(shown[1:]).split()) == f"csv {about} zip"
    assert {line[:8].strip() for line in shown[1:]} == {"csv", "", "zip"}


def test_the_titles_are_bold_on_a_terminal(terminal, monkeypatch):
    terminal(80)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "platform", "linux")
    sys.stdout.buffer = io.BytesIO()
    write(table({"id": ["a"]}, names=("id",)), head=True)
    assert sys.stdout.buffer.getvalue() == b"\x1b[1mid\x1b[0m\na\n"


def test_a_table_without_rows_has_its_titles():
    assert table({"rank": [], "id": []}, numbers=("rank",), names=("id",)) == "rank  id\n"
