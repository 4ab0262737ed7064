"""Maps as pages, pictures and tables."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image, ImageColor

from clipdex.datasets.dataset import Dataset
from clipdex.errors import OutputError
from clipdex.mapping.dataset_map import DatasetMap, MappedDataset
from clipdex.report import map_page as pages
from clipdex.report.map_page import map_page
from clipdex.report.map_picture import draw_map
from clipdex.report.map_points import LABEL, NONE, OTHERS, PALETTE, TAG, points_of
from clipdex.report.map_saving import checked_file, save_map
from clipdex.search.result import Hit, QueryRecord, Result
from clipdex_indexes import Index
from helpers_engine import make_folder
from helpers_index import in_order, row, write_index

NASTY = "a</script><script>alert(1)</script>\u2028'\"<img src=x onerror=alert(1)>.jpg"


def mapped(folder, rows, places=None, name="set"):
    """A dataset of these rows, and its map: at these places, or in a line."""
    pairs = in_order([(one, bytes([number % 256] * 8)) for number, one in enumerate(rows)])
    dataset = Dataset(name, folder, Index(write_index(folder / ".clipdex", [pairs], 64)))
    count = len(pairs)
    if places is None:
        places = np.stack([np.linspace(-1, 1, count), np.zeros(count)], axis=1)
    return dataset, MappedDataset(name, 1, np.array(places, np.float32), (0,))


def points(folder, rows, places=None, **options):
    dataset, one = mapped(folder, rows, places)
    with dataset.index:
        return points_of([dataset], DatasetMap((one,), "t-SNE", len(one)), **options)


class Page(HTMLParser):
    """The tags of a page, its texts, its policy and its data."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.blocks, self.policy, self.scripts = [], {}, "", []
        self._open = None
        self.feed(text)
        self.data = json.loads(self.blocks[("script", "data")])

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.tags.append((tag, known))
        if known.get("http-equiv") == "Content-Security-Policy":
            self.policy = known["content"]
        self._open = (tag, known.get("id", ""))

    def handle_data(self, data):
        self.blocks[self._open] = self.blocks.get(self._open, "") + data


def test_colours_are_of_the_most_frequent_labels_and_of_several_the_rarest_counts(tmp_path):
    rows = [row(f"{n:02}.jpg", labels=("person",)) for n in range(9)]
    rows += [row("x.jpg", labels=("person", "dog")), row("y.jpg", labels=("dog",)), row("z.jpg", labels=())]
    colouring = points(tmp_path, rows).colourings["label"]
    assert colouring.names == ("person", "dog", NONE[LABEL])
    assert colouring.counts == (9, 2, 1)
    assert colouring.codes.tolist() == [0] * 9 + [1, 1, 2]
    assert colouring.note == "An image with several labels has the colour of its rarest one, and counts only there."


def test_tags_colour_as_labels_do(tmp_path):
    dataset, one = mapped(tmp_path, [row(f"{n}.jpg") for n in range(6)])
    with dataset.index as index:
        for tag, numbers in (("often", range(4)), ("seldom", (3, 4))):
            index.tags.file.add(tag, [(f"{n}.jpg", "default") for n in numbers])
        found = points_of([dataset], DatasetMap((one,), "t-SNE", 6), most_named=6)
    colouring = found.colourings[TAG]
    assert (colouring.names, colouring.counts) == (("often", "seldom", NONE[TAG]), (3, 2, 1))
    assert colouring.codes.tolist() == [0, 0, 0, 1, 1, 2]
    assert "several tags" in colouring.note
    assert "tag" in Page(map_page(found)).data["colourings"]


def test_tags_that_cannot_be_read_are_said_and_colour_nothing(tmp_path):
    dataset, one = mapped(tmp_path, [row("a.jpg"), row("b.jpg")])
    with dataset.index as index:
        index.tags.file.path.write_bytes(b"no tags")
        made = DatasetMap((one,), "t-SNE", 2)
        found = points_of([dataset], made, most_named=2)
        with pytest.raises(OutputError, match=r"tags in .* cannot be used"):
            save_map([dataset], made, [tmp_path / "map.html"], colour_by="tag")
    assert TAG not in found.colourings
    assert "cannot be used" in map_page(found)


def test_labels_beyond_the_colours_are_one_group(tmp_path):
    rows = [row(f"{n:02}.jpg", labels=(f"label {n:02}",)) for n in range(len(PALETTE) + 1)]
    colouring = points(tmp_path, rows).colourings["label"]
    assert len(colouring.names) == len(PALETTE)
    assert (colouring.names[-1], colouring.counts[-1]) == (OTHERS, 2)


def test_what_is_the_same_for_all_colours_nothing_unless_it_is_asked_for(tmp_path):
    found = points(tmp_path, [row("a.jpg", "train"), row("b.jpg", "val")])
    assert found.coloured_by(None) == "subset"
    assert found.coloured_by("label") == "label"
    assert found.colourings["label"].names == ("cat",)


def test_each_dot_has_the_colour_of_its_group(tmp_path):
    rows = [row(f"{n:03}.jpg", labels=("left" if n < 150 else "right",)) for n in range(300)]
    places = [(-1 if n < 150 else 1, 0) for n in range(300)]
    picture = draw_map(points(tmp_path, rows, places))
    middle = picture.height // 2 + 20
    colours = {picture.getpixel((x, y)) for x in range(picture.width) for y in range(middle - 40, middle + 40)}
    assert {ImageColor.getrgb(colour) for colour in PALETTE[:2]} <= colours


def test_few_images_are_drawn_themselves(tmp_path):
    make_folder(tmp_path, "a.png", "b.png")
    Image.new("RGB", (60, 60), (1, 200, 99)).save(tmp_path / "a.png")
    found = points(tmp_path, [row("a.png"), row("b.png")], most_named=10)
    colours = {colour for _, colour in draw_map(found).getcolors(1 << 22)}
    assert (1, 200, 99) in colours


def test_a_page_says_only_what_it_has_and_asks_nobody(tmp_path):
    text = map_page(points(tmp_path, [row(f"{n}.jpg", labels=(str(n % 2),)) for n in range(5)], most_named=10))
    page = Page(text)
    assert not [known for _, known in page.tags if {"src", "href", "action"} & set(known)]
    assert not [name for _, known in page.tags for name in known if name.startswith("on") or name == "style"]
    assert page.policy.startswith("default-src 'none'; img-src data:; ")
    script = re.search(r"<script>(.*)</script>", text, re.DOTALL)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    for kind, content in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy
    assert "://" not in text
    assert page.data["names"] == [f"{n}.jpg" for n in range(5)]


def test_names_from_a_dataset_are_data_and_no_markup(tmp_path):
    found = points(tmp_path, [row(NASTY, "<b>", ("</script>", "\u2028")), row("b.jpg")], most_named=10)
    text = map_page(found)
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not [tag for tag, _ in page.tags if tag in ("b", "img")]
    folder = page.data["folders"][np.frombuffer(base64.b64decode(page.data["folder"]), "<u2")[0]]
    assert folder + page.data["names"][0] == NASTY
    assert "<b>" in page.data["subsets"]
    assert page.data["labelLists"][1] == ["</script>", "\u2028"]
    assert "\u2028" not in text


def test_the_places_and_the_colours_on_a_page_are_those_of_the_map(tmp_path):
    rows = [row(f"{n}.jpg", labels=(str(n % 3),)) for n in range(6)]
    found = points(tmp_path, rows, most_named=10)
    data = Page(map_page(found)).data
    xs, ys = (np.frombuffer(base64.b64decode(data[name]), "<u2") / 65535 for name in "xy")
    assert xs * 2 - 1 == pytest.approx(found.places[:, 0], abs=1e-4)
    assert 1 - ys * 2 == pytest.approx(found.places[:, 1], abs=1e-4)
    codes = base64.b64decode(data["colourings"]["label"]["codes"])
    assert list(codes) == found.colourings["label"].codes.tolist()


def test_of_more_images_than_a_page_holds_a_part_is_shown_and_that_is_said(tmp_path, monkeypatch):
    rows = [row(f"{'long name ' * 20}{n:04}.jpg", labels=(str(n % 2),)) for n in range(1001)]
    found = points(tmp_path, rows, most_named=900)
    assert len(found.named) == 900
    assert "The page has 900 of 1,001 images" in map_page(found)
    monkeypatch.setattr(pages, "MOST_BYTES", 100_000)
    text = map_page(found)
    assert len(text) <= 100_000
    shown = len(Page(text).data["names"])
    assert 0 < shown < 900
    assert f"The page has {shown} of 1,001 images, evenly drawn" in text


def test_small_datasets_have_small_pictures_and_what_cannot_be_read_is_counted(tmp_path):
    make_folder(tmp_path, "a.png", "b.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    text = map_page(points(tmp_path, [row("a.png"), row("b.png")], most_named=10))
    first, second = Page(text).data["pictures"]
    assert first.startswith("data:image/jpeg;base64,")
    assert second == ""
    assert "1 image could not be read" in text


def hits_of(dataset, *ids, strength=None):
    hits = [
        Hit(number, 10 * number, 0, number, dataset.name, one, "default", "", (), strength=strength)
        for number, one in enumerate(ids, 1)
    ]
    return Result(
        topk=9, merge="any", queries=(QueryRecord("text", "a <dog>"),), datasets=(dataset.record,), hits=tuple(hits)
    )


def test_the_hits_of_a_query_are_marked_where_they_are(tmp_path):
    dataset, one = mapped(tmp_path, [row(f"{n:03}.jpg") for n in range(300)])
    with dataset.index:
        found = points_of(
            [dataset], DatasetMap((one,), "t-SNE", 300), most_named=10, result=hits_of(dataset, "007.jpg", "299.jpg")
        )
    assert [(hit.rank, hit.id) for hit in found.found] == [(1, "007.jpg"), (2, "299.jpg")]
    assert found.found[1].x == 1
    data = Page(map_page(found)).data
    assert data["asked"] == "a <dog>"
    assert [(hit["rank"], hit["distance"], hit["x"]) for hit in data["found"]][1] == (2, 20, 1.0)
    with_hits, without = (
        np.asarray(draw_map(points)).astype(int) for points in (found, points_of_without(tmp_path / "other", 300))
    )
    changed = np.flatnonzero(np.abs(with_hits - without).sum(axis=(0, 2))[:980] > 0)
    assert changed.min() > 40 and changed.max() > 900


def test_the_image_of_a_hit_lies_on_the_others_and_a_weak_one_is_marked_otherwise(tmp_path):
    make_folder(tmp_path, "a.png", "b.png", "c.png")
    Image.new("RGB", (60, 60), (1, 200, 99)).save(tmp_path / "a.png")
    dataset, one = mapped(tmp_path, [row("a.png"), row("b.png"), row("c.png")], [(0, 0), (0, 0), (0.01, 0)])
    shown = []
    with dataset.index:
        for strength in ("fair", "weak"):
            result = hits_of(dataset, "a.png", strength=strength)
            found = points_of([dataset], DatasetMap((one,), "t-SNE", 3), most_named=3, result=result)
            picture = draw_map(found)
            assert sum(count for count, colour in picture.getcolors(1 << 22) if colour == (1, 200, 99)) > 3000
            shown.append((found.found[0].weak, picture.tobytes()))
    assert [weak for weak, _ in shown] == [False, True]
    assert shown[0][1] != shown[1][1]


def points_of_without(folder, count):
    folder.mkdir()
    return points(folder, [row(f"{n:03}.jpg") for n in range(count)], most_named=10)


def test_a_table_has_a_row_for_each_item(tmp_path):
    dataset, one = mapped(tmp_path, [row("a, b.jpg", "train", ("x", "y")), row("c.jpg")], [(0.5, -1), (1 / 3, 0)])
    with dataset.index:
        save_map([dataset], DatasetMap((one,), "t-SNE", 2), [tmp_path / "map.csv"])
    with (tmp_path / "map.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["id", "dataset", "x", "y", "labels", "subset"],
            ["a, b.jpg", "set", "0.500000", "-1.000000", "x;y", "train"],
            ["c.jpg", "set", "0.333333", "0.000000", "cat", "default"],
        ]


def test_a_picture_is_not_saved_where_a_build_would_take_it_for_an_image(tmp_path):
    dataset, one = mapped(tmp_path, [row("a.jpg")])
    with dataset.index, pytest.raises(OutputError, match="part of the dataset"):
        save_map([dataset], DatasetMap((one,), "t-SNE", 1), [tmp_path / "map.png"])
    assert not (tmp_path / "map.png").exists()


def test_an_unknown_colouring_is_refused(tmp_path):
    dataset, one = mapped(tmp_path, [row("a.jpg")])
    with dataset.index, pytest.raises(OutputError, match="label, tag, subset, dataset"):
        save_map([dataset], DatasetMap((one,), "t-SNE", 1), [tmp_path / "map.html"], colour_by="size")


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "map.html").write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        checked_file("map.html")
    assert checked_file("map.html", force=True) == tmp_path / "map.html"
    assert checked_file(None) == tmp_path / "map-2.html"
    assert checked_file(None, force=True) == tmp_path / "map.html"
    (tmp_path / "folder.png").mkdir()
    for name, why in (("map.jpg", "ends in .html"), ("folder.png", "not a file"), ("no/where.png", "mkdir")):
        with pytest.raises(OutputError, match=why):
            checked_file(name, force=True)
