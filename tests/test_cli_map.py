"""``clipdex map``."""

from __future__ import annotations

import csv
import io
import sys

from PIL import Image

from clipdex import Explorer
from helpers_engine import skip_without

skip_without("openTSNE")


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_a_page_is_saved_here_and_the_map_is_kept(cli, photos_copy, tmp_path):
    ran = cli("map", photos_copy, "-q")
    assert ran.code == 0
    assert ran.out == b""
    page = tmp_path / "here" / "map.html"
    assert f"Map of 40 images (t-SNE of 40 landmarks). Saved to {page}\n" == ran.err
    assert "german-shepherd.jpg" in page.read_text(encoding="utf-8")
    assert (photos_copy / ".clipdex" / "dataset.map").is_file()
    assert "map-2.html" in cli("map", photos_copy, "-q").err
    page.write_text("old")
    assert f"Saved to {page}\n" in cli("map", photos_copy, "-q", "--force").err
    assert "german-shepherd.jpg" in page.read_text(encoding="utf-8")


def test_several_files_show_the_hits_of_a_query(cli, photos_copy, tmp_path):
    ran = cli(
        "map", photos_copy, "-o", "m.png", "-o", "m.csv", "-o", "m.html", "--item", "plants/dahlia", "-k", "2", "-q"
    )
    assert ran.code == 0
    here = tmp_path / "here"
    rows = table(here / "m.csv")
    assert len(rows) == 40
    assert all(-1.0001 <= float(row[axis]) <= 1.0001 for row in rows for axis in "xy")
    assert '"rank": 2' in (here / "m.html").read_text(encoding="utf-8")
    with Image.open(here / "m.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000


def test_a_page_can_begin_with_tags(cli, photos_copy, tmp_path):
    assert cli("tag", "add", "good", photos_copy, "--item", "plants/dahlia").code == 0
    assert cli("map", photos_copy, "--colour-by", "tag", "-q").code == 0
    assert '"by": "tag"' in (tmp_path / "here" / "map.html").read_text(encoding="utf-8")


def test_an_area_of_the_map_narrows_a_query_down(cli, photos_copy, tmp_path):
    refused = cli("query", photos_copy, "--item", "plants/dahlia", "--area", "AAAA")
    assert (refused.code, "is no area of a map" in refused.err) == (1, True)
    cli("map", photos_copy, "-o", "m.csv", "-q")
    rows = table(tmp_path / "here" / "m.csv")
    with Explorer(photos_copy) as explorer:
        area = explorer.map().area([(-1.1, -1.1), (0, -1.1), (0, 1.1), (-1.1, 1.1)])
    ran = cli("query", photos_copy, "--item", "plants/dahlia", f"--area={area}", "--output", "json")
    expected = {one["id"] for one in rows if float(one["x"]) < 0}
    assert {hit["id"] for hit in ran.json["hits"]} == expected
    assert ran.json["filter"] == {"areas": [area]}
    ran = cli("query", photos_copy, "--item", "plants/dahlia", f"--not-area={area}", "--output", "json")
    assert {hit["id"] for hit in ran.json["hits"]} == {one["id"] for one in rows} - expected


def test_a_folder_of_a_dataset_shows_its_part_of_the_map(cli, photos_copy, tmp_path):
    cli("map", photos_copy, "-o", "all.csv", "-q")
    ran = cli("map", photos_copy / "animals", "-o", "part.csv", "-q")
    assert ran.code == 0
    part, everything = (table(tmp_path / "here" / name) for name in ("part.csv", "all.csv"))
    known = {row["id"]: (row["x"], row["y"]) for row in everything}
    assert len(part) == 12
    assert all(known[row["id"]] == (row["x"], row["y"]) for row in part)


def test_progress_is_shown_and_can_be_silenced(cli, photos_copy):
    assert "steps of the layout" in cli("map", photos_copy, "-o", "m.csv").err
    assert "steps of" not in cli("map", photos_copy, "-o", "n.csv", "--renew", "-q").err


def test_without_the_extra_that_is_said(cli, photos_copy, monkeypatch):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    ran = cli("map", photos_copy, "-o", "m.csv", "-q")
    assert ran.code == 0
    assert "shows principal components" in ran.err
    assert "Map of 40 images (PCA)" in ran.err


def test_a_file_that_cannot_be_saved_is_refused_before_anything_is_made(cli, photos_copy):
    ran = cli("map", photos_copy, "-o", "map.gif")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "ends in .html, .png or .csv" in ran.err
    assert not (photos_copy / ".clipdex" / "dataset.map").exists()


def test_nothing_to_map_is_usage(cli):
    assert cli("map").code == 2
