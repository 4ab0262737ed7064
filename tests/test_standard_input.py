"""``--image -`` reads an image from standard input, and a result can be saved and asked again with it."""

from __future__ import annotations

import io

import pytest

from clipdex import Explorer, ImageQuery
from clipdex.errors import QueryError
from clipdex.report.last_result import last_result, state_folder
from clipdex_cli import standard_input


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def send(monkeypatch):
    """Send bytes to the standard input of the commands of a test."""

    def send(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    return send


@pytest.fixture
def fig(photos):
    return (photos / "food" / "fig.jpg").read_bytes()


def test_the_image_has_the_hash_key_of_its_file(cli, photos, fig, send):
    send(fig)
    done = cli("query", photos, "--image", "-", "--output", "json", "-k", "3")
    assert (done.code, done.err) == (0, "")
    named = cli("query", photos, "--image", photos / "food" / "fig.jpg", "--output", "json", "-k", "3").json
    assert done.json["hits"] == named["hits"]
    assert done.json["queries"] == [{"kind": "image", "value": "-"}]
    assert "request" not in done.json


def test_it_mixes_with_other_queries_and_is_read_once(cli, photos, fig, send):
    send(fig)
    done = cli("query", photos, "--text", "a dog", "--image", "-", "--not-image", "-", "--output", "json", "-k", "2")
    assert [one["value"] for one in done.json["queries"]] == ["a dog", "-", "-"]


@pytest.mark.parametrize("later", [False, True], ids=["at once", "afterwards"])
def test_a_saved_result_keeps_the_image_and_is_asked_again_with_it(cli, photos, fig, send, tmp_path, later):
    send(fig)
    there = tmp_path / "saved"
    query = ["query", photos, "--item", "plants/dahlia", "--text", "x", "--image", "-", "-k", "4", "--output", "json"]
    done = cli(*query, *([] if later else ["-o", there]))
    if later:
        assert cli("save", "-o", there).code == 0
    assert (there / "query-3.jpg").read_bytes() == fig
    send(b"")
    again = cli("query", "--from", there, "--output", "json")
    assert (again.code, again.json["hits"]) == (0, done.json["hits"])
    assert again.json["queries"][2]["path"] == str(there / "query-3.jpg")


def test_the_last_result_keeps_the_image_until_the_next(cli, photos, fig, send):
    for _ in range(2):
        send(fig)
        assert cli("query", photos, "--image", "-", "-k", "1").code == 0
        kept = sorted(path.suffix for path in state_folder().iterdir())
        assert kept == [".jpg", ".json"]
    assert last_result().queries[0].value == "-"
    assert cli("query", photos, "--text", "a dog", "-k", "1").code == 0
    assert [path.name for path in state_folder().iterdir()] == ["last-result.json"]


def test_a_result_that_was_printed_says_that_it_cannot_be_asked_again(cli, photos, fig, send, tmp_path):
    send(fig)
    (tmp_path / "r.json").write_bytes(cli("query", photos, "--image", "-", "-k", "1", "--output", "json").out)
    done = cli("query", "--from", tmp_path / "r.json")
    assert done.code == 1
    assert "an image came from standard input" in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "standard input is empty"), (b"no image", "not an image"), (b"\xff\xd8\xff", "image '-'")],
)
def test_what_is_no_image_is_refused(cli, photos, send, content, said):
    send(content)
    done = cli("query", photos, "--image", "-")
    assert done.code == 1
    assert said in done.err


def test_input_without_an_end_is_not_read_to_it(cli, photos, send, monkeypatch):
    monkeypatch.setattr(standard_input, "MOST_BYTES", 1 << 20)
    send(b"\xff" * ((1 << 20) + 1))
    done = cli("query", photos, "--image", "-")
    assert done.code == 1
    assert "more than 1 MiB" in done.err


@pytest.mark.parametrize("stdin", [Terminal(), None], ids=["terminal", "closed"])
def test_a_terminal_is_no_image(cli, photos, monkeypatch, stdin):
    monkeypatch.setattr("sys.stdin", stdin)
    done = cli("query", photos, "--image", "-")
    assert done.code == 2
    assert "--image - < cat.jpg" in done.err


def test_a_file_of_that_name_and_a_text_of_one_dash_are_what_they_are(cli, photos, fig, send, tmp_path):
    (tmp_path / "here" / "-").write_bytes(fig)
    send(b"")
    assert cli("query", photos, "--image", "./-", "-k", "1", "--output", "json").ids == ["food/fig.jpg"]
    assert cli("query", photos, "--text", "-", "-k", "1").code == 0


def test_explore_reads_it_too(cli, photos, fig, send):
    send(fig)
    assert cli("explore", "-query-img-path", "-", "-topk", "1", photos, "--output", "json").ids == ["food/fig.jpg"]


def test_bytes_of_a_file_are_an_image_from_python(photos, fig):
    with Explorer(photos) as explorer:
        result = explorer.explore_topk(ImageQuery(fig, "mine"), topk=1)
        assert (result[0].id, result[0].distance, result.queries[0].value) == ("food/fig.jpg", 0, "mine")
        with pytest.raises(QueryError, match="query image 'mine'"):
            explorer.explore_topk(ImageQuery(b"no image", "mine"))
        with pytest.raises(QueryError, match="query image 1"):
            explorer.explore_topk(ImageQuery(b"no image"))
