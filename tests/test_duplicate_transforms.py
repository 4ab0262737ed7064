"""Rotated and mirrored copies: found, named, and compared with all pairs of hash keys."""

from __future__ import annotations

import csv
import io
import shutil
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from clipdex import build, find_duplicates
from clipdex.datasets.dataset import Dataset
from clipdex.errors import QueryError
from clipdex.media.orientations import ORIENTATIONS, inverse, oriented
from clipdex.search.all_keys import AllKeys
from clipdex.search.duplicate_settings import DuplicateSettings
from clipdex.search.duplicates import duplicates_of
from clipdex.search.orienting import OrientedKeys
from clipdex_indexes import Index
from helpers_engine import PHOTOS, picture, touch_later
from helpers_index import POPCOUNT, complete_by_definition, row, split, write_index

DOG, SEA, FIG = (PHOTOS / name for name in ("animals/german-shepherd.jpg", "places/sea.jpg", "food/fig.jpg"))


def test_orientations_are_turns_clockwise_of_the_image_and_of_its_mirror_image():
    image = picture(1)
    pixels = np.asarray(image)
    for orientation in range(len(ORIENTATIONS)):
        expected = np.rot90(pixels[:, ::-1] if orientation >= 4 else pixels, -(orientation % 4))
        assert np.array_equal(np.asarray(oriented(image, orientation)), expected)
        back = oriented(oriented(image, orientation), inverse(orientation))
        assert np.array_equal(np.asarray(back), pixels)


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """A dog, rotated and mirrored, the same dog saved again; a sea that is alone."""
    root = tmp_path_factory.mktemp("turned") / "turned"
    root.mkdir()
    shutil.copy(SEA, root / "sea.jpg")
    with Image.open(DOG) as image:
        dog = image.convert("RGB")
    shutil.copy(DOG, root / "a.jpg")
    dog.save(root / "again.jpg", quality=90)
    for orientation, name in ((1, "b.png"), (6, "c.png")):
        oriented(dog, orientation).save(root / name)
    build(root)
    return root


def test_rotated_and_mirrored_copies_are_found_with_their_orientation(cli, turned):
    assert [item.id for item in find_duplicates(turned).groups[0].items] == ["a.jpg", "again.jpg"]
    told, seen = [], []
    result = find_duplicates(turned, transforms=True, notice=told.append, progress=lambda *step: seen.append(step))
    (group,) = result.groups
    assert [(item.id, item.orientation) for item in group.items] == [
        *(("a.jpg", ""), ("again.jpg", ""), ("b.png", "rotated 90"), ("c.png", "mirrored, rotated 180")),
    ]
    assert all(item.distance <= 16 and item.match != "identical" for item in group.items)
    assert group.greatest_distance <= 16
    assert ("percent of 5 images hashed", 0, 100) in seen
    assert result.transforms
    done = cli("duplicates", turned, "--transforms", "--keep", "b*", "--output", "csv")
    rows = {one["id"]: one for one in csv.DictReader(io.StringIO(done.out.decode()))}
    assert {name: one["orientation"] for name, one in rows.items()} == {
        "b.png": "",
        "a.jpg": "rotated 270",
        "again.jpg": "rotated 270",
        "c.png": "mirrored, rotated 270",
    }
    assert "orientation" in cli("duplicates", turned, "--transforms").lines[0].split()


def test_what_cannot_be_read_is_compared_as_it_is_and_counted(turned, tmp_path, cli):
    root = shutil.copytree(turned, tmp_path / "set")
    (root / "sea.jpg").unlink()
    touch_later(shutil.copy(SEA, root / "c.png"))
    done = cli("duplicates", root, "--transforms", "--output", "json")
    assert done.json["total_not_turned"] == 2
    assert "2 files compared only as the index has them" in done.err
    (group,) = done.json["groups"]
    assert [item["id"] for item in group["items"] if not item["problem"]] == ["a.jpg", "again.jpg", "b.png"]


def test_transforms_need_the_images(turned, tmp_path, cli):
    assert cli("duplicates", turned, "--identical", "--transforms").code == 2
    root = shutil.copytree(turned, tmp_path / "set")
    for path in root.glob("*.*g"):
        path.unlink()
    with pytest.raises(QueryError, match="none of the 5 can be read: no such file"):
        find_duplicates(root, transforms=True)


def test_the_time_is_told_when_the_first_images_are_hashed(tmp_path, monkeypatch):
    from clipdex.search import orienting

    monkeypatch.setattr(orienting, "_TRIED", 1)
    for seed in range(3):
        picture(seed).save(tmp_path / f"{seed}.png")
    build(tmp_path)
    told = []
    find_duplicates(tmp_path, transforms=True, notice=told.append)
    assert len(told) == 1
    assert told[0].startswith("3 images to hash in 7 more orientations: about ")

    def stop(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_duplicates(tmp_path, transforms=True, progress=stop)


@pytest.mark.parametrize("linkage", ["single", "complete"])
@pytest.mark.parametrize("most", [2, 3, 4])
def test_groups_in_any_orientation_are_those_of_all_pairs(tmp_path, most, linkage):
    random = np.random.default_rng(most)
    # Few different keys, so that many are equal in one orientation or another.
    pool = random.integers(0, 256, (12, 2), dtype=np.uint8)
    upright, turned = pool[random.integers(0, 12, 24)], pool[random.integers(0, 12, (7, 24))]
    turned[:, :, 1] ^= 1
    names = [f"{number:02}.jpg" for number in range(24)]
    pairs = [(row(name), key.tobytes()) for name, key in zip(names, upright, strict=True)]
    with Index(write_index(tmp_path / "i", split(pairs, 3, seed=1), 16)) as index:
        dataset = Dataset("set", tmp_path, index)
        keys = AllKeys([dataset], 5)
        order = [int(member.row.id[:2]) for block in keys.blocks(np.arange(24)) for member in block]
        oriented_keys = OrientedKeys(turned[:, order], 0)
        result = duplicates_of([dataset], most, DuplicateSettings(linkage=linkage), oriented=oriented_keys)
    every = np.concatenate([upright[None], turned])
    one_way = POPCOUNT[every[:, :, None, :] ^ upright[None, None]].sum(axis=-1).min(axis=0)
    table = np.minimum(one_way, one_way.T)
    np.fill_diagonal(table, 0)
    expected = complete_by_definition(table, most) if linkage == "complete" else _connected(table, most)
    found = [sorted(int(item.id[:2]) for item in group.items) for group in result.groups]
    assert sorted(found) == sorted(group for group in expected if len(group) > 1)
    assert found
    for group, numbers in zip(result.groups, found, strict=True):
        assert group.greatest_distance == table[np.ix_(numbers, numbers)].max()
        first = int(group.items[0].id[:2])
        assert [item.distance for item in group.items] == [table[first, int(item.id[:2])] for item in group.items]


def _connected(table, most):
    groups = {number: {number} for number in range(len(table))}
    for one, other in combinations(range(len(table)), 2):
        if table[one, other] <= most:
            groups[one] |= groups[other]
            for number in groups[one]:
                groups[number] = groups[one]
    return [list(group) for group in {tuple(sorted(group)) for group in groups.values()}]
