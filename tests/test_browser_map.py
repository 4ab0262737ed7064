"""The map in a real browser: areas, pictures, colours and addresses, by mouse and by keyboard alone."""

from __future__ import annotations

import random
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from clipdex import Explorer
from clipdex.mapping.area import Area
from helpers_browser import PIXEL, entered, skip_without_playwright, write_made_up
from helpers_web import served
from test_browser_access import axe  # noqa: F401

skip_without_playwright()
pytest.importorskip("openTSNE")
from playwright.sync_api import expect

# Corners of the shape that is drawn, as shares of the canvas.
DRAWN = [(0.1, 0.05), (0.55, 0.1), (0.5, 0.6), (0.3, 0.95), (0.05, 0.7)]


@pytest.fixture(scope="module")
def mapped(photos, tmp_path_factory):
    """A server of photos that have a map, some of them with tags."""
    root = Path(shutil.copytree(photos, tmp_path_factory.mktemp("mapped") / "photos"))
    with Explorer(root) as explorer:
        explorer.map()
        for tag, items in (("good one", ("plants/dahlia", "animals/koala")), ("green", ("animals/koala",))):
            explorer.add_tag(tag, [explorer.item(item) for item in items])
    with served(tmp_path_factory.mktemp("served"), root) as site:
        yield site


@pytest.fixture
def page(browser, mapped):
    with entered(browser, mapped, place="map") as page:
        expect(page.locator("#count")).to_have_text("1 to 40 of 40")
        yield page


def draw(page):
    page.get_by_role("button", name="Draw an area").click()
    box = page.locator("#map").bounding_box()
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in DRAWN]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def in_address(page, name):
    return parse_qs(urlsplit(page.url).query).get(name, [])


def ids_in(site, text):
    """The ids of the items in an area."""
    with Explorer(site.site.collection.explorer.datasets[0].root) as explorer:
        [mapped] = explorer.map().datasets
        area = Area.of(text)
        rows = {tuple(location): row.id for location, row in explorer.datasets[0].items()}
        return {rows[0, position] for position in area.holds(mapped.coordinates).nonzero()[0].tolist()}


def shown_ids(page):
    return set(page.locator(".tile .name").all_inner_texts())


def test_an_area_that_is_drawn_leads_to_its_images_in_the_grid(page, mapped):
    draw(page)
    link = page.get_by_role("link", name="Images of the area")
    expect(link).to_be_visible()
    page.reload()
    [area] = in_address(page, "area")
    assert len(page.url) < 160
    link.click()
    inside = ids_in(mapped, area)
    assert 0 < len(inside) < 40
    expect(page.locator(".total")).to_contain_text(f"{len(inside)} image")
    assert shown_ids(page) == inside
    page.get_by_label("Remove the filter in an area of the map").click()
    expect(page.locator(".total")).to_contain_text("40 images")


def test_an_area_goes_with_queries_and_filters_there_and_back(page):
    page.get_by_label("Show on it").fill("a dog")
    page.keyboard.press("Enter")
    expect(page.locator("#asked")).to_have_text("a dog")
    draw(page)
    page.get_by_role("link", name="Images of the area").click()
    expect(page.locator(".chip")).to_contain_text(["a dog", "in an area of the map"])
    page.get_by_role("link", name="On the map").click()
    expect(page.locator("#asked")).to_have_text("a dog")
    expect(page.get_by_role("link", name="Images of the area")).to_be_visible()
    page.get_by_label("Remove the answer from the map").click()
    expect(page.locator("#hits")).to_be_hidden()
    expect(page.get_by_role("link", name="Images of the area")).to_be_visible()


def test_the_keyboard_alone_takes_an_area_to_the_grid_and_back(page):
    page.get_by_role("button", name="Take what the map shows").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Images of the area")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".total")).to_contain_text("40 images")
    page.get_by_label("Search for").focus()
    page.keyboard.type("a dog")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_contain_text(["a dog", "in an area of the map"])
    page.get_by_role("link", name="On the map").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="No area").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Draw an area")).to_be_focused()
    assert in_address(page, "area") == []


def test_escape_ends_the_drawing_of_an_area(page):
    lasso = page.get_by_role("button", name="Draw an area")
    lasso.focus()
    page.keyboard.press("Enter")
    expect(lasso).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(lasso).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_chooses_an_image_and_goes_on_to_ones_like_it(page):
    page.locator("#map").focus()
    page.keyboard.press("n")
    picture = page.locator("#chosen img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    page.locator("#chosen").get_by_role("link", name="more like this").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/\?item="))


def test_the_address_says_all_that_is_seen(page):
    page.get_by_label("Colour by").select_option("tag")
    page.locator("#legend button").first.click()
    page.locator("#map").focus()
    page.keyboard.press("n")
    page.keyboard.press("+")
    page.get_by_label("Id, label, subset or dataset has").fill("food")
    page.wait_for_url(re.compile("find=food"))
    before = page.evaluate("window.clipdexMap.looked()")
    assert before["only"] == "good one"
    page.reload()
    after = page.evaluate("window.clipdexMap.looked()")
    same = ("by", "only", "chosen", "find")
    assert after["centre"] == pytest.approx(before["centre"], abs=1e-3)
    assert after["scale"] == pytest.approx(before["scale"], abs=1e-3)
    assert [after[name] for name in same] == [before[name] for name in same]
    expect(page.locator("#count")).to_have_text("1 to 3 of 3")


def test_an_address_of_nothing_that_is_there_shows_the_map(page, mapped):
    page.goto(f"{mapped.url}map?show=50%25:%25:x&only=nothing&view=-999,999,999&find=nothing&by=label")
    expect(page.locator("#count")).to_have_text("No image.")
    expect(page.locator("#chosen")).to_have_text("None is chosen.")
    page.get_by_role("button", name="Whole map").click()
    page.wait_for_url(lambda url: "view=" not in url)


def test_the_legend_says_what_its_numbers_count(page):
    expect(page.locator("#note")).to_be_hidden()
    page.get_by_label("Colour by").select_option("tag")
    expect(page.locator("#note")).to_have_text(
        "An image with several tags has the colour of its rarest one, and counts only there."
    )
    assert page.locator("#legend button").all_inner_texts() == ["good one\n1", "green\n1", "no tag\n38"]


def test_weak_hits_are_counted_apart(page, mapped):
    page.goto(f"{mapped.url}map?text=a+dog&topk=6")
    assert page.locator("#kinds p").all_inner_texts() == [" 2 hits", " 4 weak hits, which may be noise"]


def paper(page):
    """The colour of the canvas at a corner, where nothing is."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator("#map").evaluate("""canvas => {
        const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, canvas.height - 3, 1, 1, 0, 0, 1, 1);
        return [...copy.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    }""")


def test_colours_that_were_chosen_win_over_those_of_the_system(page):
    light = paper(page)
    page.get_by_label("Colours").select_option("dark")
    dark = paper(page)
    assert (min(light) > 200, max(dark) < 60) == (True, True)
    page.reload()
    assert paper(page) == dark
    assert page.locator("#by").evaluate("one => getComputedStyle(one).backgroundColor") != "rgb(246, 247, 249)"


def test_areas_are_written_by_the_page_as_by_the_engine(page):
    rng = random.Random(0)
    areas = [[(rng.uniform(-2.2, 2.2), rng.uniform(-2.2, 2.2)) for _ in range(rng.randint(3, 32))] for _ in range(30)]
    page.evaluate("import('./static/area.js').then((module) => { window.area = module; })")
    page.wait_for_function("window.area")
    for corners in areas:
        text = page.evaluate("corners => window.area.written([1, 2, 3], corners)", corners)
        assert text == str(Area(b"\x01\x02\x03", tuple(corners)))
        read = page.evaluate("text => window.area.read([1, 2, 3], text)", text)
        assert read == [list(corner) for corner in Area.of(text).corners]
        assert page.evaluate("text => window.area.read([1, 2, 4], text)", text) == []


def test_a_drawn_line_loses_the_corners_that_say_nothing(page):
    page.evaluate("import('./static/area.js').then((module) => { window.area = module; })")
    page.wait_for_function("window.area")
    square = [[x, 0] for x in range(0, 200, 2)] + [[200, y] for y in range(0, 200, 2)] + [[200, 200], [0, 200]]
    assert page.evaluate("points => window.area.simplified(points)", square) == [[0, 0], [200, 0], [200, 200], [0, 200]]


def test_pictures_come_when_there_is_room_for_them_and_are_few(browser, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openTSNE", None)  # a map of components is made sooner
    root = write_made_up(tmp_path / "many", 2000)
    with served(tmp_path, root) as site, entered(browser, site, pictures=PIXEL) as page:
        with Explorer(root) as explorer:
            explorer.map()
        asked = []
        page.on("request", lambda request: asked.append(request.url) if "thumbnail" in request.url else None)
        page.goto(f"{site.url}map")
        page.locator("#map").focus()
        page.wait_for_timeout(500)
        assert asked == []
        with page.expect_request(re.compile("thumbnail")):
            for _ in range(7):
                page.keyboard.press("+")
        page.wait_for_load_state("networkidle")
        assert 0 < len(asked) <= 150
        page.keyboard.press("i")
        expect(page.get_by_role("button", name="Pictures")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_no_state_of_the_map_has_a_violation(browser, mapped, site, axe, colours):  # noqa: F811
    settings = {"forced_colors": "active"} if colours == "forced" else {"color_scheme": colours}
    area = str(Area(bytes(mapped.site.collection.explorer.map().layout), ((-1, -1), (1, -1), (0, 1))))
    places = ["map", "map?text=a+dog&show=photos:default:plants/dahlia.jpg", f"map?by=tag&label=animals&area={area}"]
    found = []
    for one, some in ((mapped, places), (site, ["map"])):
        with entered(browser, one, **settings) as page:
            for width in (1100, 400):
                page.set_viewport_size({"width": width, "height": 800})
                for place in some:
                    page.goto(f"{one.url}{place}")
                    page.evaluate(axe)
                    violations = page.evaluate("axe.run().then(result => result.violations)")
                    found += [
                        (place, width, bad["id"], [node["target"] for node in bad["nodes"]]) for bad in violations
                    ]
    assert found == []
