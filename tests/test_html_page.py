"""Answers as one HTML file."""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex import (
    DatasetItem,
    Explorer,
    ItemFilter,
    ItemQuery,
    SearchRequest,
    TextQuery,
    build,
    find_duplicates,
    save_html,
)
from clipdex.datasets.record import DatasetRecord
from clipdex.errors import OutputError
from clipdex.report.html_hits import BYTES_OF_PICTURES
from clipdex.report.html_page import page_of
from clipdex.report.html_templates import packaged
from clipdex.report.repeating import repeating
from clipdex.report.thumbnails import Thumbnail, thumbnails
from clipdex.search.hit import Hit
from clipdex.search.result import QueryRecord, Result
from clipdex.wording import printable
from helpers_engine import PHOTOS, REPOSITORY, make_folder, picture, solid
from helpers_html import Page, decoded, require_contained

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8))


def result_of(paths, ids=None, labels=("a label",), **more) -> Result:
    ids = ids or [Path(path).name for path in paths]
    hits = tuple(
        Hit(number + 1, 100 + number, 0, 1, "data", ids[number], "default", str(path), labels)
        for number, path in enumerate(paths)
    )
    records = (DatasetRecord("data", "/data", 1000, "starter", "", 512),)
    return Result(50, "distance", (QueryRecord("text", "dog"),), records, hits, **more)


@pytest.fixture(scope="module")
def mixed(photos):
    with Explorer(photos) as explorer:
        return explorer.explore_topk(["a dog", photos / "food" / "fig.jpg"], topk=12)


def colour(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((8, 8), Image.Resampling.BOX), np.float64)


def test_a_page_shows_each_hit_with_its_picture_in_the_order_of_ranks(mixed, tmp_path):
    saved = save_html(mixed, tmp_path / "hits.html")
    html = saved.file.read_text(encoding="utf-8")
    require_contained(html)
    page = Page(html)
    assert (saved.size, saved.shown, saved.total, saved.missing) == (len(html.encode()), 12, 12, ())
    tiles = page.all("li", "tile")
    assert len(tiles) == 12
    for hit, tile in zip(mixed, tiles, strict=True):
        assert page.texts("span", "name", tile) == [hit.id]
        assert page.texts("span", "number", tile) == [str(hit.rank)]
        assert page.texts("span", "distance", tile) == [f"{hit.distance} bit{'s' * (hit.distance != 1)}"]
        assert page.texts("span", "note", tile)[0] == ", ".join(hit.labels)
        assert page.texts("span", "note", tile)[1] == ("like “a dog”" if hit.query == 0 else "like fig.jpg")
        (small,) = page.pictures(tile)
        with Image.open(hit.path) as image:
            assert np.abs(colour(small) - colour(image)).mean() < 12
        assert max(small.size) <= 320


def test_a_page_shows_what_was_asked(mixed):
    page = Page(page_of(mixed).html)
    asked = page.all("li", "query")
    assert page.texts("span", "kind") == ["text", "image"]
    assert page.texts("q", inside=asked[0]) == ["a dog"]
    assert page.texts("span", "name", asked[1]) == ["fig.jpg"]
    assert len(page.pictures(asked[1])) == 1
    assert page.texts("h1") == page.texts("title") == ["“a dog”, fig.jpg"]
    assert "12 hits in photos (40 images)" in page.texts("p", "summary")


def test_a_page_has_landmarks_headings_in_order_and_a_text_for_each_picture(mixed):
    page = Page(page_of(mixed).html)
    for landmark in ("header", "main", "footer"):
        assert len(page.all(landmark)) == 1
    levels = [int(one.name[1]) for one in page.elements if re.fullmatch(r"h[1-6]", one.name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(one.attributes["alt"] for one in page.all("img"))
    assert page.all("html")[0].attributes["lang"] == "en"
    named = {one.attributes["id"] for one in page.elements if "id" in one.attributes}
    assert {one.attributes["aria-labelledby"] for one in page.elements if "aria-labelledby" in one.attributes} <= named


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_have_the_contrast_that_people_need(scheme):
    blocks = re.findall(r":root \{(.*?)\}", packaged("page.css"), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", blocks[scheme]))
    for ink in ("ink", "quiet", "accent", "kept", "identical", "near"):
        for ground in ("ground", "card", *(["well"] if ink == "quiet" else [])):
            light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


EVIL = [
    "<script>alert(1)</script>.png",
    '"><img src=x onerror=alert(1)>.png',
    "' onmouseover='alert(1)",
    "</style></title></code><script>1</script>",
    "a\x00b\x1b[31m\nc\u202egnp.exe",
    "{{ 7 * 7 }} {% raw %}",
    "&lt;b&gt; &amp; --> <!-- ]]>",
    "\udcff.png",
]


@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_whatever_names_hold_a_page_shows_it_as_text(tmp_path, evil):
    solid((200, 30, 60)).save(tmp_path / "a.png")
    found = result_of([tmp_path / "a.png", f"/nowhere/{evil}"], ids=[evil, evil], labels=(evil,))
    request = SearchRequest((TextQuery(evil),), filter=ItemFilter(labels=(evil,)))
    found = replace(
        found,
        queries=(QueryRecord("text", evil), QueryRecord("image", evil, negative=True)),
        datasets=(replace(found.datasets[0], name=evil, model=evil, root=f"/data/{evil}"),),
        warnings=(evil,),
        filter={"labels": [evil]},
        request=request,
    )
    html = page_of(found).html
    html.encode()
    require_contained(html)
    page = Page(html)
    shown = " ".join(printable(evil).split())
    assert page.texts("span", "name") == [printable(evil.rpartition("/")[2]).strip(), shown, shown]
    assert page.texts("q") == [shown]
    assert page.texts("p", "warning") == [f"Note: {shown}"]
    assert page.all("img")[0].attributes["alt"] == printable(evil)


@pytest.mark.parametrize("evil", EVIL[:-1], ids=ascii)
def test_the_command_line_and_the_python_hold_the_text_as_it_is(evil):
    (request,) = [SearchRequest((TextQuery(evil),))]
    found = repeating(replace(result_of([]), request=request))
    if evil.isprintable():
        assert shlex.split(found.command)[3:] == ["--text", evil, "-k", "50"] or f"--text={evil}" in found.command
    assert found.command.isprintable()
    given = {}
    code = found.python.replace("with Explorer(", "with Fake(").replace("from clipdex import Explorer", "")

    class Fake:
        def __init__(self, *targets, **more):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def explore_topk(self, query, **more):
            given["query"] = query

    exec(code, {"Fake": Fake})
    assert given["query"] == evil


def test_a_hit_without_a_picture_says_why(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"x")
    solid((1, 2, 3), (50, 60)).save(tmp_path / "large.png")
    solid((1, 2, 3), (5, 6)).save(tmp_path / "fine.png")
    paths = [tmp_path / "none.png", tmp_path / "broken.png", tmp_path / "large.png", "", tmp_path / "fine.png"]
    page = page_of(result_of(paths, ids=list("abcde")), max_pixels=1000)
    read = Page(page.html)
    assert [hit.id for hit, _ in page.missing] == list("abcd")
    assert [why for _, why in page.missing] == read.texts("span", "none")
    why = [one.attributes["aria-label"] for one in read.all("span", "none")]
    assert [one.partition(": ")[0] for one in why] == [f"No picture of {name}" for name in "abcd"]
    assert "no such file" in why[0]
    assert "not an image" in why[1]
    assert "--max-pixels" in why[2]
    assert len(read.pictures()) == 1


def test_a_long_image_says_that_its_middle_is_shown(tmp_path):
    solid((1, 2, 3), (2000, 100)).save(tmp_path / "long.png")
    page = Page(page_of(result_of([tmp_path / "long.png"])).html)
    assert page.texts("span", "note")[-1] == "middle of a long image"


def test_pictures_take_no_more_bytes_than_they_may():
    few = thumbnails([NOISE, NOISE], most_bytes=BYTES_OF_PICTURES // 400 * 2, max_pixels=1000)
    for one in few:
        assert isinstance(one, Thumbnail)
        assert len(one.address) <= BYTES_OF_PICTURES // 400
        assert decoded(one.address).size == (one.width, one.height)
    (soft,) = thumbnails([picture(1, (640, 480))], most_bytes=BYTES_OF_PICTURES, max_pixels=1000)
    assert (soft.width, soft.height) == (320, 240)


def test_a_page_shows_400_hits_in_8_mb_and_says_that_there_are_more(tmp_path):
    solid((200, 30, 60)).save(tmp_path / "a.png")
    found = result_of([tmp_path / "a.png"] * 1203, ids=["<" * 150] * 1203, labels=("'" * 150,))
    saved = save_html(found, tmp_path / "a.html")
    assert (saved.shown, saved.total) == (400, 1203)
    page = Page(saved.file.read_text(encoding="utf-8"))
    assert len(page.all("li", "tile")) == 400
    assert page.texts("p", "left-out") == ["The first 400 of 1,203 hits are shown."]
    pictures = sum(len(one.attributes["src"]) for one in page.all("img"))
    assert saved.size - pictures + BYTES_OF_PICTURES <= 8_000_000


def test_a_file_that_is_there_is_not_replaced(mixed, tmp_path):
    file = tmp_path / "hits.html"
    file.write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        save_html(mixed, file)
    assert save_html(mixed, file, force=True).file == tmp_path / "hits-2.html"
    assert file.read_text() == "mine"
    with pytest.raises(OutputError, match="folder"):
        save_html(mixed, tmp_path)
    with pytest.raises(OutputError):
        save_html(mixed, file / "below.html")
    assert save_html(mixed, tmp_path / "deep" / "er" / "a.html").file.is_file()


def test_a_result_without_hits_is_a_page_that_says_so():
    page = page_of(result_of([]))
    assert Page(page.html).texts("p", "nothing") == ["No hits."]
    assert page.shown == 0


REQUESTS = {
    "text": {"query": "a dog"},
    "list": {"query": ["bus", "train", ItemQuery("plants/dahlia.jpg", (), "photos")], "topk": 7},
    "filters": {
        "query": "water",
        "filter": ItemFilter(labels=("places",), not_paths=("*sea*",)),
        "max_distance": 250,
        "min_strength": "weak",
    },
    "negative": {"query": "an animal", "negative": ["dog", "-cat"], "merge": "all"},
    "switches": {"query": ItemQuery("plants/dahlia.jpg", ("default",)), "exclude_self": True, "rescore": True},
    "prompting": {"query": [TextQuery("dog", "none"), TextQuery("cat", "none")]},
    "quotes": {"query": 'it\'s a "dog"\nand $HOME'},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_command_line_and_the_python_of_a_page_give_the_same_hits(cli, photos, name):
    with Explorer(photos) as explorer:
        result = explorer.explore_topk(**{"topk": 5, **REQUESTS[name]})
    command, python = Page(page_of(result).html).code
    if "$'" not in command:
        words = shlex.split(command)
        assert words[:2] == ["clipdex", "query"]
        again = cli(*words[1:], "--output", "json")
        assert again.code == 0, again.err
        assert [(hit["id"], hit["distance"]) for hit in again.json["hits"]] == [
            (hit.id, hit.distance) for hit in result
        ]
    done = {}
    exec(python, done)
    assert done["result"].hits == result.hits


def test_the_code_of_a_page_knows_images_items_and_an_index_elsewhere(cli, photos, odd, tmp_path):
    cli("build", odd, "--index", tmp_path / "index")
    with Explorer(odd, index=tmp_path / "index") as explorer:
        item = explorer.item("loose.png")
        assert isinstance(item, DatasetItem)
        result = explorer.explore_topk([photos / "food" / "fig.jpg", item], topk=3)
    command, python = Page(page_of(result).html).code
    again = cli(*shlex.split(command)[1:], "--output", "json")
    assert [hit["id"] for hit in again.json["hits"]] == [hit.id for hit in result]
    done = {}
    exec(python, done)
    assert done["result"].hits == result.hits


def test_queries_with_settings_of_their_own_are_said_in_python_only(photos):
    with Explorer(photos) as explorer:
        result = explorer.explore_topk([TextQuery("dog", "none"), "cat"], topk=3)
    page = Page(page_of(result).html)
    (python,) = page.code
    assert "TextQuery('dog', 'none')" in python
    assert any("No command line" in text for text in page.texts("p"))


def test_an_image_in_memory_is_shown_and_named_nowhere(photos):
    with Explorer(photos) as explorer:
        result = explorer.explore_topk(picture(3), topk=3)
    page = Page(page_of(result).html)
    assert page.code == []
    assert any("from memory" in text for text in page.texts("p"))
    assert len(page.pictures(page.all("li", "query")[0])) == 1


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    root = make_folder(tmp_path_factory.mktemp("copies") / "data", "train/a.png", "val/c.png")
    (root / "val" / "a.png").write_bytes((root / "train" / "a.png").read_bytes())
    with Image.open(PHOTOS / "plants" / "dahlia.jpg") as image:
        image.save(root / "train" / "b.png")
        image.save(root / "val" / "b.jpg", quality=90)
    build(root)
    return root


def test_groups_tell_what_is_kept_identical_and_near(copies, tmp_path):
    result = find_duplicates(copies)
    saved = save_html(result, tmp_path / "groups.html")
    html = saved.file.read_text(encoding="utf-8")
    require_contained(html)
    page = Page(html)
    shown = [
        (page.texts("span", "name", tile)[0], page.texts("span", "match", tile)[0], tile.classes[-1])
        for tile in page.all("li", "tile")
    ]
    expected = [(item.id, item.match, item.match) for group in result.groups for item in group.items]
    assert shown == expected
    assert {match for _, match, _ in shown} == {"kept", "identical", "near"}
    assert page.texts("h2")[:2] == [
        "Group 1: 2 images, identical files, across subsets train, val",
        f"Group 2: 2 images, up to {result.groups[1].greatest_distance} bits apart, across subsets train, val",
    ]
    assert (saved.shown, saved.total, saved.missing) == (4, 4, ())


def test_the_code_of_a_page_of_groups_gives_the_same_groups(cli, copies):
    for wanted in (
        {},
        {"identical": True},
        {"max_distance": 300, "linkage": "complete", "keep": "val/**"},
        {"limit": 1},
    ):
        result = find_duplicates(copies, **wanted)
        command, python = Page(page_of(result).html).code
        again = cli(*shlex.split(command)[1:], "--output", "json", "--quiet")
        assert again.json["groups"] == result.to_dict()["groups"]
        done = {}
        exec(python, done)
        assert done["result"] == result


def test_a_page_says_which_groups_and_items_it_leaves_out(copies):
    result = find_duplicates(copies)
    group = result.groups[0]
    large = replace(group, items=group.items * 10)
    page = page_of(replace(result, groups=(large,) * 40, total_groups=41))
    read = Page(page.html)
    assert page.shown == 33 * 12
    assert page.total == 40 * 20
    assert read.texts("p", "left-out")[0] == "The first 33 of 41 groups are shown."
    assert read.texts("p", "left-out")[-1] == "8 more images of this group."


def test_query_save_and_duplicates_save_pages(cli, photos, copies, tmp_path):
    done = cli("query", photos, "--text", "a dog", "-k", "3", "--html", "query.html")
    assert (done.code, len(done.lines)) == (0, 4)
    assert re.search(r"Saved to .*/query\.html: 3 images, [\d.]+ KiB", done.err)
    assert cli("save", "--html", "save.html").code == 0
    assert Path("save.html").read_bytes() == Path("query.html").read_bytes()
    assert {path.name for path in Path().iterdir()} == {"query.html", "save.html"}
    done = cli("save", "--html", "save.html")
    assert (done.code, "--force" in done.err) == (1, True)
    assert cli("save", "--html", "save.html", "--force").code == 0
    assert Path("save-2.html").is_file()
    assert cli("save", "--html", "both.html", "-o", "out").code == 0
    assert Path("out/sheet.png").is_file()
    done = cli("duplicates", copies, "--html", "groups.html", "--quiet")
    assert (done.code, "Saved to" in done.err) == (0, True)
    assert "groups.html" in {path.name for path in Path().iterdir()}
    done = cli("duplicates", copies, "--max-distance", "0", "--across", "datasets", "--html", "none.html")
    assert "nothing is saved" in done.err
    assert not Path("none.html").exists()


def test_a_page_without_any_picture_is_exit_code_1_and_names_files(cli, odd_copy):
    cli("query", odd_copy, "--item", "loose")
    for path in odd_copy.rglob("*.png"):
        path.unlink()
    done = cli("save", "--html", "a.html")
    assert done.code == 1
    assert "6 images" in done.err
    assert done.err.count("missing: ") == 4
    assert "loose.png has no picture: no such file" in done.err


def test_an_image_from_standard_input_is_in_the_page_of_the_last_result(cli, photos, monkeypatch):
    import io
    import sys

    data = (photos / "food" / "fig.jpg").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert cli("query", photos, "--image", "-", "-k", "2").code == 0
    assert cli("save", "--html", "a.html").code == 0
    page = Page(Path("a.html").read_text(encoding="utf-8"))
    assert page.code == []
    assert len(page.pictures(page.all("li", "query")[0])) == 1


def test_templates_alone_make_html_and_escape_everything_but_our_own_style_and_script():
    files = [path for top in ("engine", "cli") for path in (REPOSITORY / top).rglob("*")]
    code, templates = (
        [path.read_text(encoding="utf-8") for path in files if path.suffix == end] for end in (".py", ".html")
    )
    unescaped = {found.strip() for text in templates for found in re.findall(r"[\w' =\"-]+(?=\|\s*safe)", text)}
    assert unescaped == {"style", "script", "body", "' aria-current=\"page\"'"}
    assert not [text for text in templates if "autoescape" in text]
    assert not [text for text in code if re.search(r"\bMarkup\(|html\.escape|from html import|\bmarkupsafe\b", text)]
    environments = [text for text in code if "jinja2" in text and "Environment(" in text]
    assert [("autoescape=True" in text) for text in environments] == [True, True]
