"""The pages: all of it works without JavaScript, and every address says what is shown."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import json
import re
import shlex
import zipfile
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from PIL import Image

from clipdex import Explorer, build
from clipdex_web.pages import _moment
from helpers_engine import PHOTOS, make_folder, picture
from helpers_web import served

DAHLIA = "photos:default:plants/dahlia.jpg"
CAT = PHOTOS / "animals" / "chelsea-the-cat.jpg"


class Page(HTMLParser):
    """The elements of a page that tests look at."""

    def __init__(self, answer):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = answer.text
        self.url = str(answer.url)
        self.feed(answer.text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def all(self, tag, **wanted):
        return [
            found for name, found in self.elements if name == tag and all(found.get(k) == v for k, v in wanted.items())
        ]

    @property
    def shown(self):
        """The ids of the images, in order."""
        return [image["alt"] for image in self.all("img", loading="lazy")]

    @property
    def links(self):
        """Everything that the page leads to or loads."""
        names = ("href", "src", "action")
        return [value for _, found in self.elements for name in names if (value := found.get(name)) is not None]

    def code(self, name):
        return html.unescape(re.search(rf'<pre [^>]*id="{name}">(.*?)</pre>', self.text, re.DOTALL)[1])


@pytest.fixture
def see(web):
    def seen(place, status=200):
        answer = web.get(place, follow_redirects=True)
        assert answer.status_code == status
        return Page(answer)

    return seen


def ids(photos, *query, **settings):
    with Explorer(photos) as explorer:
        return [hit.id for hit in explorer.explore_topk(list(query), **settings)]


def test_the_first_page_shows_all_images_in_order(see, photos):
    with Explorer(photos) as explorer:
        assert see("/").shown == [item.id for item in explorer.items()]


def test_pages_hold_each_image_once_to_the_last(see, photos):
    found = []
    for number in range(1, 7):
        found += see(f"/?per=7&page={number}").shown
    with Explorer(photos) as explorer:
        assert found == [item.id for item in explorer.items()]
    beyond = see("/?per=7&page=7")
    assert (beyond.shown, "the last one is 6" in beyond.text) == ([], True)


def test_a_text_is_answered_with_distances(see, photos):
    page = see("/?text=a+dog&topk=5")
    with Explorer(photos) as explorer:
        hits = explorer.explore_topk("a dog", topk=5).hits
    assert page.shown == [hit.id for hit in hits]
    for hit in hits:
        assert f"{hit.distance} bits" in page.text


@pytest.mark.parametrize(
    ("sent", "page"),
    [
        ("add=+a+dog+&item=" + DAHLIA + "&topk=50&path=", f"./?{urlencode({'text': 'a dog', 'item': DAHLIA})}"),
        ("page=2&per=7&prompting=none", "./?prompting=none&page=2&per=7"),
        ("not_text=snow", "./?not_text=snow"),
    ],
)
def test_the_parts_for_the_script_are_those_of_the_page_that_they_name(web, sent, page):
    parts = web.get(f"/answer?{sent}").text
    whole = web.get(f"/{page.removeprefix('./')}").text
    assert html.escape(page) in re.search('<main [^>]*data-url="([^"]*)"', parts)[1]
    for begin, end in (("<main ", "</main>"), ("<aside ", "</aside>"), ('<span data-part="asked"', "</span>")):
        part = re.compile(f"{begin}.*?{end}", re.DOTALL)
        assert part.search(parts)[0] == part.search(whole)[0]
    assert re.search("<title>.*?</title>", parts)[0] in whole


def test_files_of_the_page_are_kept_by_a_browser(web):
    for place, kept in (("page.js", "no-cache"), ("icon.png", "max-age")):
        answer = web.get(f"/static/{place}")
        assert kept in answer.headers["cache-control"]
        again = web.get(f"/static/{place}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (304, answer.headers["cache-control"])


@pytest.mark.parametrize("form", ["ask", "pager"])
def test_forms_keep_how_texts_are_prompted(see, form):
    page = see("/?text=a+dog&prompting=ensemble&per=7")
    inside = re.search(f'<(form id="{form}"|nav class="{form}").*?</form>', page.text, re.DOTALL)[0]
    assert '<input type="hidden" name="prompting" value="ensemble">' in inside


def test_what_a_form_sends_has_one_address(web):
    sent = {"item": DAHLIA, "add": " a dog ", "away": "1", "topk": "50", "path": "", "merge": "any", "max_distance": ""}
    answer = web.get("/", params=sent)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "./?item=photos%3Adefault%3Aplants%2Fdahlia.jpg&not_text=a+dog",
    )


def test_chips_can_be_turned_and_removed_by_their_links(see):
    page = see(f"/?text=a+dog&item={DAHLIA}")
    leads = {link["aria-label"]: link["href"] for link in page.all("a") if "aria-label" in link}
    assert leads["Push away plants/dahlia.jpg"] == "./?text=a+dog&not_item=photos%3Adefault%3Aplants%2Fdahlia.jpg"
    assert leads["Remove a dog"] == "./?item=photos%3Adefault%3Aplants%2Fdahlia.jpg"
    assert see(leads["Push away plants/dahlia.jpg"]).shown != page.shown


def test_more_like_this_asks_with_the_item(see, photos):
    [link] = [a["href"] for a in see("/").all("a") if a.get("title") == "Search for images like plants/dahlia.jpg"]
    with Explorer(photos) as explorer:
        assert see(link).shown == ids(photos, explorer.item("plants/dahlia"))


def test_an_uploaded_image_joins_the_search(web, see, photos):
    with CAT.open("rb") as file:
        sent = web.post("/", files={"upload": ("my cat.jpg", file)}, data={"state": "text=a+dog"})
    assert sent.status_code == 303
    assert see(sent.headers["location"]).shown == ids(photos, "a dog", CAT)


def test_an_upload_that_is_no_image_is_answered_with_a_sentence(web):
    answer = web.post("/", files={"upload": ("x.svg", b"<svg/>")})
    assert (answer.status_code, "not an image in a format that can be read" in answer.text) == (400, True)
    assert web.post("/", data={"state": ""}).status_code == 400


def test_filters_narrow_what_is_looked_through_and_what_is_found(see, photos):
    assert {one.partition("/")[0] for one in see("/?label=food&label=people").shown} == {"food", "people"}
    assert {one.partition("/")[0] for one in see("/?text=a+dog&path=places/*").shown} == {"places"}
    boxes = see("/?label=food").all("input", name="label")
    assert [box["value"] for box in boxes if "checked" in box] == ["food"]


def test_a_page_does_not_wait_for_counts_that_take_long(site, see, monkeypatch):
    monkeypatch.setattr(site.site.collection, "facets", lambda wanted=None, wait=True: None)
    page = see("/?label=food")
    assert "being counted" in page.text
    assert page.all("input", name="label", type="hidden", value="food")
    assert len(page.shown) == 3


def test_an_answer_while_a_text_is_typed_does_not_wait_for_counts(site, see, monkeypatch):
    facets, waited = site.site.collection.facets, []

    def noted(wanted=None, *, wait=True):
        waited.append(wait)
        return facets(wanted, wait=wait)

    monkeypatch.setattr(site.site.collection, "facets", noted)
    see("/answer?text=a+dog")
    assert waited
    assert not any(waited)
    see("/?text=a+dog")
    assert sum(waited) == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("not_text=snow", "everything is pushed away"),
        ("label=fod", "no item has the label"),
        ("item=photos:default:nothing.jpg", "no item has the id"),
        ("image=" + "0" * 64, "not kept any more"),
    ],
)
def test_what_cannot_be_asked_stays_on_the_page_with_the_reason(web, query, said):
    answer = web.get(f"/?{query}")
    assert answer.status_code in (400, 404)
    page = Page(answer)
    assert said in html.unescape(answer.text).lower()
    assert page.all("p", role="alert")
    assert page.all("ul", **{"class": "chips"})


@pytest.mark.parametrize(
    "query", ["colour=red", "topk=0", "topk=x", "merge=best", "page=0", "item=x", "image=x", "path=a//b"]
)
def test_an_address_that_means_nothing_is_refused(web, query):
    answer = web.get(f"/?{query}")
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)


@pytest.mark.parametrize(
    "place",
    [
        "/",
        "/?text=a+dog&text=bus&topk=9&per=3",
        f"/item?show={DAHLIA}&text=a+dog",
        "/nowhere",
        "/duplicates?max_distance=100",
        "/map",
        "/tags",
    ],
)
def test_every_link_is_relative_and_stays_below_the_prefix(web, place):
    page = Page(web.get(place))
    prefix = "http://host.example/user/me/proxy/8080/"
    here = urljoin(prefix, place.lstrip("/"))
    for link in page.links:
        assert urljoin(here, link).startswith(prefix), link
        assert not urlsplit(link).netloc
        if not link.startswith("#") and link not in ("export", "refresh"):  # forms that are posted
            assert web.get(urljoin("/", link), follow_redirects=True).status_code == 200, link


def test_a_page_loads_nothing_from_elsewhere_and_has_no_script_or_style_in_it(web):
    for place in ("/", f"/item?show={DAHLIA}", "/duplicates?max_distance=100"):
        text = web.get(place).text
        assert re.findall(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", text) == []
        assert "http:" not in text
        assert "https:" not in text


def test_a_closer_look_shows_what_the_index_knows(see, photos):
    page = see(f"/item?show={DAHLIA}&text=a+dog")
    with Explorer(photos) as explorer:
        item = explorer.item("plants/dahlia")
        near = [hit.id for hit in explorer.explore_topk(item, topk=12, exclude_self=True)]
    assert item.hash_key.tobytes().hex() in page.text
    assert str(item.path) in page.text
    assert page.shown == near
    assert "./?text=a+dog" in page.links


STATES = (
    "text=a+dog&topk=5",
    f"item={DAHLIA}&text=bus&not_text=snow&label=vehicles&label=plants&topk=4",
    "text=dog&text=cat&merge=all&rescore=1&topk=6&max_distance=300&not_label=places",
    "text=-v&prompting=none&topk=3&path=**/*.jpg",
)


@pytest.mark.parametrize("query", STATES)
def test_the_command_line_that_a_page_shows_gives_the_same_answer(see, cli, query):
    page = see(f"/?{query}")
    words = shlex.split(page.code("command-line"))
    assert words[0] == "clipdex"
    assert cli(*words[1:], "--output", "json").ids == page.shown


@pytest.mark.parametrize("query", [*STATES, "", "label=food&per=2&page=2"])
def test_the_python_that_a_page_shows_gives_the_same_answer(see, query):
    page = see(f"/?{query}")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(page.code("python"), {})
    assert [line.split()[-1] for line in out.getvalue().splitlines()] == page.shown


def test_an_upload_has_a_command_line_too(web, see, cli):
    sent = web.post("/", files={"upload": ("cat.jpg", CAT.read_bytes())})
    page = see(sent.headers["location"])
    assert cli(*shlex.split(page.code("command-line"))[1:], "--output", "json").ids == page.shown


def test_an_answer_can_be_taken_away_in_each_format(web, photos, cli, tmp_path):
    query = "text=a+dog&topk=3"
    with Explorer(photos) as explorer:
        hits = explorer.explore_topk("a dog", topk=3).hits
    taken = {name: web.get(f"/export?format={name}&{query}") for name in ("csv", "json", "jsonl", "paths", "zip")}
    for answer in taken.values():
        assert answer.headers["content-disposition"].startswith("attachment;")
    rows = list(csv.DictReader(io.StringIO(taken["csv"].text)))
    assert [row["id"] for row in rows] == [hit.id for hit in hits]
    assert [json.loads(line)["distance"] for line in taken["jsonl"].text.splitlines()] == [hit.distance for hit in hits]
    assert taken["paths"].text.splitlines() == [hit.path for hit in hits]
    (tmp_path / "result.json").write_bytes(taken["json"].content)
    assert cli("query", "--from", tmp_path / "result.json", "--output", "json").ids == [hit.id for hit in hits]
    with zipfile.ZipFile(io.BytesIO(taken["zip"].content)) as archive:
        assert archive.testzip() is None
        names = [f"{hit.rank:03}_{hit.id.rpartition('/')[2]}" for hit in hits]
        assert archive.namelist() == [*names, "result.json"]
        assert archive.read(names[0]) == (photos / hits[0].id).read_bytes()


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    """A server of images with awkward names: markup, a link that leads out, one that is gone, one on its side."""
    root = make_folder(
        tmp_path_factory.mktemp("awkward") / "a <b> & 'c'", "<script>alert(1)</script>/x.png", "gone.png"
    )
    side = Image.Exif()
    side[0x0112] = 6
    side[0x010F] = "maker of the camera"
    picture(1, (400, 200)).save(root / "side.jpg", exif=side)
    outside = tmp_path_factory.mktemp("outside")
    picture(5).save(outside / "linked.png")
    (root / "link.png").symlink_to(outside / "linked.png")
    build(root)
    (root / "gone.png").unlink()
    (outside / "linked.png").write_text("a secret that is no image")
    with served(tmp_path_factory.mktemp("kept"), root) as site, site.client() as client:
        yield client


def test_an_index_may_hold_any_time():
    assert (_moment(0), _moment(10**30)) == ("1970-01-01 00:00:00 UTC", "unknown")


def test_markup_in_names_is_text(awkward):
    page = Page(awkward.get("/"))
    assert {script["src"] for script in page.all("script")} == {
        f"static/{name}.js" for name in ("early", "facets", "histogram", "page")
    }
    assert "<script>alert(1)</script>/x.png" in page.shown
    assert page.all("b") == []


def test_an_image_that_is_gone_is_named_and_its_picture_is_a_problem(awkward):
    name = {"dataset": "a <b> & 'c'", "subset": "default", "id": "gone.png"}
    assert awkward.get("/api/v1/thumbnail", params=name).status_code == 404
    found = awkward.get("/", params={"item": "a <b> & 'c':default:side.jpg"})
    assert "not there any more" in found.text
    with zipfile.ZipFile(
        io.BytesIO(awkward.get("/export", params={"format": "zip", "item": "a <b> & 'c':default:side.jpg"}).content)
    ) as archive:
        missing = archive.read("missing.txt").decode()
    assert ("gone.png" in missing, "link.png" in missing) == (True, True)


def test_pictures_are_upright_and_keep_nothing_of_the_camera(awkward):
    name = {"dataset": "a <b> & 'c'", "subset": "default", "id": "side.jpg"}
    answer = awkward.get("/api/v1/thumbnail", params=name)
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.width < image.height
    assert b"maker" not in answer.content
    assert b"EXIF" not in answer.content.upper()


def test_what_is_no_image_is_not_served_wherever_a_link_leads(awkward):
    name = {"dataset": "a <b> & 'c'", "subset": "default", "id": "link.png"}
    for kind in ("thumbnail", "original"):
        answer = awkward.get(f"/api/v1/{kind}", params=name)
        assert answer.status_code == 404
        assert "secret" not in answer.text


def test_what_is_filtered_by_tag_follows_the_tags(photos_copy, tmp_path):
    with served(tmp_path, photos_copy) as site, site.client() as client:
        with Explorer(photos_copy) as explorer:
            dahlia, koala = explorer.item("plants/dahlia"), explorer.item("animals/koala")
            explorer.add_tag("mine", [dahlia])
            for address in ("?tag=mine", "?text=a+flower&tag=mine"):
                assert client.get(address).text.count("koala.jpg") == 0
            explorer.add_tag("mine", [koala])
            explorer.remove_tag("mine", [dahlia])
        for address in ("?tag=mine", "?text=a+flower&tag=mine"):
            shown = client.get(address).text
            assert "koala.jpg" in shown
            assert "dahlia.jpg" not in shown
