"""What results show of themselves in notebooks and in Python, and what Python may ask with."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import types
import webbrowser
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex import (
    Explorer,
    ImageQuery,
    SearchRequest,
    build,
    find_duplicates,
    read_result,
    save_result,
)
from clipdex.errors import ExtraMissing, ItemNotFound, OutputError, QueryError, QueryImageError
from clipdex.search.hit import Hit
from helpers_engine import make_folder, solid
from helpers_html import Page


@pytest.fixture(scope="module")
def result(photos):
    with Explorer(photos) as explorer:
        return explorer.explore_topk(["a dog", photos / "food" / "fig.jpg"], topk=6)


def test_a_notebook_shows_the_hits_with_their_pictures(result):
    page = Page(result._repr_html_())
    tiles = page.all("li", "tile")
    assert [page.texts("span", "name", tile) for tile in tiles] == [[hit.id] for hit in result]
    assert len(page.pictures()) == 6
    assert page.texts("p", "title") == ["“a dog”, fig.jpg: 6 hits in photos (40 images)"]


def test_a_notebook_shows_the_first_50_hits_in_1_mb_and_says_so(result, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    hit = replace(result.hits[0], path=str(tmp_path / "noise.png"), id="<" * 200, labels=("&" * 200,))
    html = replace(result, hits=(hit,) * 120)._repr_html_()
    assert len(html.encode()) <= 1_000_000
    page = Page(html)
    assert len(page.all("li", "tile")) == len(page.all("img")) == 50
    assert page.texts("p", "left-out") == ["The first 50 of 120 hits are shown."]


def test_a_missing_image_is_a_tile_that_says_so(result):
    gone = replace(result, hits=(replace(result.hits[0], path="/nowhere/a.png"), result.hits[1]))
    page = Page(gone._repr_html_())
    assert page.texts("span", "none") == ["no such file"]
    assert len(page.pictures()) == 1
    assert Page(gone.hits[0]._repr_html_()).texts("span", "none") == ["no such file"]


@pytest.mark.parametrize("path", ["", "\0", "a\0b", "\udcff", "x" * 5000, "/", "/a.zip!/b", "~"])
def test_nothing_is_raised_for_a_path_that_cannot_be(result, path):
    html = replace(result.hits[0], path=path, id="<script>\x1b\udcff")._repr_html_()
    assert Page(html).texts("span", "name") == ["<script>\\x1b\\udcff"]


def test_texts_for_people_are_short(result, photos, odd):
    assert repr(result) == (
        f"<Result: 6 hits for 'a dog', {str(photos / 'food' / 'fig.jpg')!r} in photos; "
        f"nearest {result[0].id!r} at {result[0].distance} bits>"
    )
    assert repr(result[0]) == f"<Hit 1: {result[0].id!r}, distance {result[0].distance}>"
    assert repr(replace(result, hits=())).endswith(
        "0 hits for 'a dog', " + f"{str(photos / 'food' / 'fig.jpg')!r} in photos>"
    )
    assert repr(find_duplicates(odd)).startswith("<DuplicatesResult: ")
    with Explorer(odd) as explorer:
        assert repr(explorer) == "<Explorer: odd (6 images), model 'starter'>"
    assert repr(explorer) == "<Explorer: closed>"
    assert explorer._repr_html_() is None


def test_a_notebook_shows_groups(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    (root / "c.png").write_bytes((root / "a.png").read_bytes())
    build(root)
    found = find_duplicates(root, max_distance=0)
    page = Page(found._repr_html_())
    assert page.texts("span", "match") == ["kept", "identical"]
    assert page.texts("p", "title") == ["1 group within 0 bits in data (3 images)"]
    assert len(page.pictures()) == 2
    assert repr(found) == "<DuplicatesResult: 1 group within 0 bits, 2 images in data>"


def test_a_notebook_shows_the_report_of_a_build_and_an_explorer(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    for number in range(12):
        (root / f"broken-{number:02d}<b>.png").write_bytes(b"x")
    report = build(root)
    page = Page(report._repr_html_())
    rows = list(zip(page.texts("th"), page.texts("td"), strict=True))
    assert rows[:3] == [("Images in the index", "2"), ("Added", "2"), ("Unchanged", "0")]
    failed = [text for term, text in rows if term == "Failed"]
    assert failed[0] == "12 images"
    assert failed[1].startswith("broken-00<b>.png: ")
    assert failed[-1] == "2 more"
    assert repr(report) == f"<BuildReport: {root}: 2 added, 0 unchanged, 12 failed; 2 images in the index>"
    with Explorer(root) as explorer:
        page = Page(explorer._repr_html_())
        assert page.texts("td") == [f"data: {root}, 2 images", "starter, 512 bits"]


def test_hits_become_a_table_of_pandas(result):
    pytest.importorskip("pandas")
    table = result.to_pandas()
    assert list(table.columns) == [field.name for field in dataclasses.fields(Hit)]
    assert list(table["id"]) == [hit.id for hit in result]
    assert list(table["distance"]) == [hit.distance for hit in result]
    assert list(replace(result, hits=()).to_pandas().columns) == list(table.columns)


def test_groups_become_a_table_of_pandas(odd):
    pytest.importorskip("pandas")
    found = find_duplicates(odd, max_distance=200)
    table = found.to_pandas()
    assert [tuple(row) for row in table[["group", "id", "match"]].to_numpy()] == [
        (number, item.id, item.match) for number, group in enumerate(found.groups, start=1) for item in group.items
    ]


def test_without_pandas_the_error_says_what_to_install(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ExtraMissing, match="pip install"):
        result.to_pandas()


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    """Let pages that a browser would show not outlive their test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_show_opens_a_page_in_the_browser(result, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(opened.append(address)) or True)
    file = result.show()
    assert opened == [file.as_uri()]
    assert len(Page(file.read_text(encoding="utf-8")).all("li", "tile")) == 6


def test_without_a_browser_show_names_the_page(result, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    with pytest.raises(OutputError, match=r"the page is .*result\.html"):
        result.show()


@pytest.mark.parametrize("kernel", [True, False])
def test_in_a_notebook_show_displays_in_place(result, monkeypatch, kernel):
    shown, opened = [], []
    shell = types.SimpleNamespace(kernel=1) if kernel else types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=shown.append))
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(opened.append(address)) or True)
    file = result.show()
    assert (shown == [result], file is None) == (kernel, kernel)
    assert len(opened) == (not kernel)


def test_pixels_and_bytes_ask_as_the_file_does(photos):
    file = photos / "vehicles" / "jet-plane.png"
    with Image.open(file) as image:
        rgb = image.convert("RGB")
    with Explorer(photos) as explorer:
        expected = [(hit.id, hit.distance) for hit in explorer.explore_topk(rgb, topk=5)]
        for query in (np.asarray(rgb), np.asarray(rgb)[::1].copy(order="F"), ImageQuery(np.asarray(rgb))):
            assert [(hit.id, hit.distance) for hit in explorer.explore_topk(query, topk=5)] == expected
        by_file = [(hit.id, hit.distance) for hit in explorer.explore_topk(file, topk=5)]
        assert [(hit.id, hit.distance) for hit in explorer.explore_topk(file.read_bytes(), topk=5)] == by_file
        grey = rgb.convert("L")
        by_grey = [(hit.id, hit.distance) for hit in explorer.explore_topk(grey, topk=5)]
        assert [(hit.id, hit.distance) for hit in explorer.explore_topk(np.asarray(grey), topk=5)] == by_grey
        both = explorer.explore_topk(["a dog", np.asarray(rgb), file.read_bytes()], topk=5)
        assert [query.kind for query in both.queries] == ["text", "image", "image"]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), bool),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros(8, np.uint8),
        np.uint8(3) + np.zeros((), np.uint8)[None],
    ],
    ids=lambda pixels: f"{pixels.dtype}-{'x'.join(map(str, pixels.shape))}",
)
def test_an_array_that_is_no_image_is_refused_with_what_to_give(pixels):
    with pytest.raises(QueryImageError, match=r"uint8 with the shape \[height, width, 3\]"):
        SearchRequest(pixels)


def test_an_array_that_is_changed_later_asks_what_it_was():
    pixels = np.zeros((8, 8, 3), np.uint8)
    query = ImageQuery(pixels)
    pixels[:] = 255
    assert np.asarray(query.image).max() == 0


def test_bytes_that_are_no_image_are_refused(photos):
    with Explorer(photos) as explorer, pytest.raises(QueryImageError, match="cannot be used"):
        explorer.explore_topk(b"no image")


def test_a_hit_asks_with_its_item_and_loads_no_model(photos):
    with Explorer(photos) as explorer:
        hit = explorer.explore_topk(explorer.item("plants/dahlia"), topk=3)[1]
        again = explorer.explore_topk(hit, topk=2)
        assert (again[0].id, again[0].distance) == (hit.id, 0)
        assert explorer.explore_topk(hit, topk=1, exclude_self=True)[0].id != hit.id
        assert explorer.encoder is None
        assert SearchRequest.from_dict(again.request.to_dict()) == again.request
        with pytest.raises(ItemNotFound):
            explorer.explore_topk(replace(hit, dataset="elsewhere"))


def test_a_result_asked_with_memory_is_saved_so_that_it_can_be_asked_again(photos, tmp_path):
    data = (photos / "food" / "fig.jpg").read_bytes()
    with Explorer(photos) as explorer:
        result = explorer.explore_topk([data, np.asarray(solid((200, 30, 60)))], topk=4)
        assert "request" not in result.to_dict()
        saved = save_result(result, tmp_path / "out")
        kept = read_result(saved.data)
        assert [Path(query.path).name for query in kept.queries] == ["query-1.jpg", "query-2.png"]
        assert (tmp_path / "out" / "query-1.jpg").read_bytes() == data
        again = explorer.search(kept.request)
        assert [(hit.id, hit.distance) for hit in again] == [(hit.id, hit.distance) for hit in result]


def test_what_is_no_query_is_answered_with_what_is_one():
    for wrong in (3.5, {"a": 1}, [object()]):
        with pytest.raises(QueryError, match="array of pixels"):
            SearchRequest(wrong)
