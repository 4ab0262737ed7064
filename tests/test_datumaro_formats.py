"""Each format: a dataset made with Datumaro's exporter, built, asked and saved, against the pictures it was made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdex import Explorer, ItemQuery, build, save_result
from clipdex.media.opening import open_media
from helpers_datumaro import ITEMS, LAYOUTS, Layout, export
from helpers_engine import distance

FORMATS = {"yolo with data.yaml": "yolo"}


class Case:
    """A dataset in one format, with what it was made of."""

    def __init__(self, name: str, folder: Path, encoder) -> None:
        self.format = FORMATS.get(name, name)
        self.layout: Layout = LAYOUTS[name]
        self.root = export(folder, self.layout)
        self.report = build(self.root, format=self.format)
        self.pictures = {
            (self.layout.id(made), self.layout.subset(made)): self.layout.picture(made).convert("RGB") for made in ITEMS
        }
        self.keys = {item: encoder.image_key(picture).tobytes() for item, picture in self.pictures.items()}

    def nearest(self, key: bytes) -> list[tuple[int, str, str]]:
        """Brute force: every item by its distance, then in item order."""
        return sorted((distance(own, key), *item) for item, own in self.keys.items())


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _compile_the_model_once(home, _own_state, monkeypatch):
    monkeypatch.setenv("CLIPDEX_HOME", str(home))


@pytest.fixture(scope="module", params=LAYOUTS)
def case(request, tmp_path_factory, encoder, home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIPDEX_HOME", str(home))
        return Case(request.param, tmp_path_factory.mktemp("formats") / "dataset", encoder)


def answer(result):
    return [(hit.distance, hit.id, hit.subset) for hit in result.hits]


def test_ids_subsets_and_labels_are_those_that_were_put_in(case):
    assert (case.report.items, case.report.failed, case.report.remarks) == (len(ITEMS), (), ())
    with Explorer(case.root) as explorer:
        for made in ITEMS:
            item = explorer.item(case.layout.id(made), case.layout.subset(made))
            assert (item.labels, item.hash_key.tobytes()) == ((made.label,), case.keys[item.id, item.subset])
        assert len(explorer) == len(ITEMS)


def test_queries_find_the_right_items_and_save_their_pictures(case, encoder, tmp_path):
    with Explorer(case.root) as explorer:
        result = explorer.explore_topk("a dog")
        assert answer(result) == case.nearest(encoder.text_key("a dog").key.tobytes())

        (item_id, subset), picture = list(case.pictures.items())[2]
        expected = case.nearest(case.keys[item_id, subset])
        assert answer(explorer.explore_topk(picture)) == expected
        assert answer(explorer.explore_topk(ItemQuery(item_id, (subset,)))) == expected
        assert expected[0] == (0, item_id, subset)

    saved = save_result(result, tmp_path / "saved")
    assert not saved.missing
    for hit, path in zip(result.hits, saved.images, strict=True):
        for place in (hit.path, str(path)):
            with open_media(place) as file, Image.open(file) as image:
                assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(case.pictures[hit.id, hit.subset]))


def test_a_second_build_has_nothing_to_do(case):
    report = build(case.root)
    assert (report.added, report.changed, report.removed, report.unchanged) == (0, 0, 0, len(ITEMS))
