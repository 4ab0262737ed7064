"""Maps: where items are, what they depend on, and how they are kept."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace

import numpy as np
import pytest

from clipdex.datasets.dataset import Dataset
from clipdex.mapping.keeping import ONE, SEVERAL
from clipdex.mapping.landmarks import Drawn, draw, hashes_of
from clipdex.mapping.layout import by_components
from clipdex.mapping.making import map_of
from clipdex.mapping.placing import Landmarks, place_all
from clipdex_indexes import Index
from clipdex_indexes.kernels.few import Few
from helpers_engine import skip_without
from helpers_index import apply, row, split, table_of, write_index

skip_without("openTSNE")

BITS = 128


def clustered(count, clusters=4, seed=0, flips=6, prefix=""):
    """Items near one of a few keys, with the number of that as their label."""
    rng = random.Random(seed)
    middles = [random.Random(f"middle {number}").randbytes(BITS // 8) for number in range(clusters)]
    pairs = []
    for number in range(count):
        group = rng.randrange(clusters)
        key = int.from_bytes(middles[group], "big")
        for _ in range(flips):
            key ^= 1 << rng.randrange(BITS)
        pairs.append((row(f"{prefix}{number:04}.jpg", labels=(str(group),)), key.to_bytes(BITS // 8, "big")))
    return pairs


def dataset(folder, pairs, parts=1, name="set"):
    write_index(folder / name, split(pairs, parts, seed=1), BITS)
    return Dataset(name, folder / name, Index(folder / name))


def places(one, mapped):
    """Where each item is, by id."""
    return {item.id: mapped.at(location) for location, item in one.items()}


def places_of(folder, pairs, parts=1, name="set", **options):
    with (one := dataset(folder, pairs, parts, name)).index:
        return places(one, map_of([one], **options).datasets[0])


def keys_of(count, seed=0, width=16):
    return np.random.default_rng(seed).integers(0, 256, (count, width), np.uint8)


def test_the_nearest_of_a_few_are_those_of_an_oracle_also_where_distances_tie():
    few = keys_of(300, width=2)
    keys = keys_of(50, seed=1, width=2)
    distances, positions = Few(few).nearest(keys, 5)
    table = table_of(np.concatenate([few, keys]))[300:, :300]
    expected = np.argsort(table, axis=1, kind="stable")[:, :5]
    assert positions.tolist() == expected.tolist()
    assert distances.tolist() == np.take_along_axis(table, expected, axis=1).tolist()


def test_landmarks_are_those_with_the_smallest_hashes_whatever_the_order_and_the_blocks():
    keys = keys_of(500)
    keys[100:200] = keys[:100]
    expected = np.unique(hashes_of(keys))[:64]
    for order in (np.arange(500), np.arange(500)[::-1]):
        drawn = Drawn(16, 64)
        for block in np.array_split(keys[order], 7):
            drawn.add(block)
        landmarks = draw([drawn], 64)
        assert hashes_of(landmarks).tolist() == expected.tolist()
        assert len(np.unique(landmarks, axis=0)) == 64


def test_a_small_dataset_has_its_share_of_the_landmarks_and_leaves_what_it_does_not_need():
    large, small = Drawn(16, 100), Drawn(16, 100)
    large.add(keys_of(1000))
    few = keys_of(20, seed=1)
    small.add(few)
    landmarks = draw([large, small], 100)
    assert len(landmarks) == 100
    assert {bytes(key) for key in few} <= {bytes(key) for key in landmarks}


def test_like_items_are_near_each_other(tmp_path):
    pairs = clustered(120)
    found = places_of(tmp_path, pairs)
    labels = {item.id: item.labels[0] for item, _ in pairs}
    ids, points = list(found), np.array(list(found.values()))
    apart = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.fill_diagonal(apart, np.inf)
    assert all(labels[ids[near]] == labels[one] for one, near in zip(ids, apart.argmin(axis=1), strict=True))
    assert np.abs(points).max() == pytest.approx(1, abs=1e-6)


def test_the_same_keys_give_the_same_bytes_whatever_the_segments(tmp_path):
    pairs = clustered(90)
    first = places_of(tmp_path, pairs, name="first")
    assert places_of(tmp_path, pairs, name="again") == first
    assert places_of(tmp_path, pairs, parts=4, name="in parts") == first


def test_items_that_are_no_landmarks_are_among_the_landmarks_like_them():
    keys = keys_of(3)
    layout = Landmarks(keys, np.array([[0, 0], [0.01, 0], [1, 1]], np.float32))
    near = keys[0] ^ np.eye(16, dtype=np.uint8)[3]
    placed = layout.place(np.stack([*keys, near]))
    assert placed[:3].tolist() == layout.coordinates.tolist()
    assert 0 <= placed[3, 0] <= 0.01
    assert placed[3, 1] == 0


@pytest.mark.parametrize(
    "make", [by_components, lambda keys: Landmarks(keys, keys_of(len(keys), width=2) / np.float32(255))]
)
def test_where_an_item_is_does_not_depend_on_the_items_placed_with_it(make):
    layout = make(keys_of(40))
    keys = keys_of(20_000, seed=3)
    done = []
    together = place_all(layout, keys, done.append)
    assert sum(done) == len(keys)
    alone = np.concatenate([layout.place(keys[start : start + 7]) for start in range(0, 700, 7)])
    assert together[:700].tobytes() == alone.tobytes()


def test_new_items_do_not_move_old_ones_and_removed_ones_disappear(tmp_path):
    pairs, more = clustered(60), clustered(70, seed=5, prefix="new")
    with (one := dataset(tmp_path, pairs)).index as index:
        before = places(one, map_of([one]).datasets[0])
        apply(index.folder, add=more, remove=[pairs[0][0][:2]], bits=BITS)
        index.refresh()
        made = map_of([one])
        after = places(one, made.datasets[0])
    gone = before.pop(pairs[0][0].id)
    assert gone not in after.values()
    assert {item_id: place for item_id, place in after.items() if item_id in before} == before
    assert len(after) == len(made) == 129
    assert made.datasets[0].generation == 2
    assert "drawn from 60 images" in made.notes[0]
    assert "--renew" in made.notes[0]


def test_a_kept_map_is_read_and_openTSNE_is_not_needed_for_it(tmp_path, monkeypatch):
    with (one := dataset(tmp_path, clustered(40))).index as index:
        before = map_of([one])
        kept = (index.folder / ONE).read_bytes()
        monkeypatch.setitem(sys.modules, "openTSNE", None)
        steps = []
        again = map_of([one], progress=lambda *step: steps.append(step))
        assert (index.folder / ONE).read_bytes() == kept
    assert not steps
    assert not again.notes
    assert again.datasets[0].coordinates.tobytes() == before.datasets[0].coordinates.tobytes()
    assert again.method == "t-SNE"


def test_renew_lays_the_map_out_anew(tmp_path):
    with (one := dataset(tmp_path, clustered(30))).index as index:
        map_of([one])
        apply(index.folder, add=clustered(90, seed=7, prefix="new"), bits=BITS)
        index.refresh()
        steps = []
        made = map_of([one], renew=True, progress=lambda what, done, of: steps.append(what))
        assert made.landmarks == 120 and not made.notes
    assert set(steps) == {"percent of the landmarks drawn", "steps of the layout", "percent of the images placed"}


def test_without_the_extra_components_are_shown_until_it_is_there(tmp_path, monkeypatch):
    with (one := dataset(tmp_path, clustered(40))).index:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "openTSNE", None)
            poor = map_of([one])
            assert (poor.method, poor.landmarks) == ("PCA", 0)
            assert "principal components" in poor.notes[0] and "pip install 'clipdex[map]'" in poor.notes[0]
            assert map_of([one]).notes == poor.notes
        good = map_of([one])
    assert good.method == "t-SNE"
    assert "made anew" in good.notes[0]


def header_of(content):
    begin = len(b"clipdex map\n") + 4
    length = int.from_bytes(content[begin - 4 : begin], "little")
    return json.loads(content[begin : begin + length]), content[begin + length :]


def with_header(header, rest):
    text = json.dumps(header).encode()
    return b"clipdex map\n" + len(text).to_bytes(4, "little") + text + rest


def forged(change):
    def forge(content):
        header, rest = header_of(content)
        change(header)
        return with_header(header, rest)

    return forge


DAMAGE = {
    "empty": lambda content: b"",
    "other": lambda content: b"PNG" + content,
    "cut": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "a long header": lambda content: content[:12] + b"\xff\xff\xff\xff" + content[16:],
    "no JSON": lambda content: content.replace(b'{"format"', b'{"format', 1),
    "many rows": forged(lambda header: header["arrays"][0].update(rows=1 << 39)),
    "negative rows": forged(lambda header: header["arrays"][0].update(rows=-1)),
    "no arrays": forged(lambda header: header.update(arrays=[])),
    "unknown array": forged(lambda header: header["arrays"][0].update(name="../x")),
    "unknown method": forged(lambda header: header.update(method="spell")),
    "a list": lambda content: with_header([1], b""),
    "of several": forged(lambda header: header.update(indexes=["/elsewhere"])),
    "deep": lambda content: b"clipdex map\n" + (200_000).to_bytes(4, "little") + b"[" * 200_000,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_map_is_made_anew_and_that_is_said(tmp_path, damage):
    with (one := dataset(tmp_path, clustered(20))).index as index:
        before = map_of([one])
        path = index.folder / ONE
        whole = path.read_bytes()
        path.write_bytes(DAMAGE[damage](whole))
        again = map_of([one])
        assert again.datasets[0].coordinates.tobytes() == before.datasets[0].coordinates.tobytes()
        assert f"{path} is not used: it is damaged. The map is made anew." in again.notes[0]
        assert path.read_bytes() == whole


def test_a_map_with_values_that_are_no_places_is_not_used(tmp_path):
    with (one := dataset(tmp_path, clustered(20))).index as index:
        import hashlib

        map_of([one])
        path = index.folder / ONE
        header, rest = header_of(path.read_bytes())
        size = 8 * header["arrays"][-1]["rows"]
        bad = np.full(size // 4, np.nan, "<f4").tobytes()
        header["arrays"][-1]["sha256"] = hashlib.sha256(bad).hexdigest()
        path.write_bytes(with_header(header, rest[:-size] + bad))
        assert "is damaged" in map_of([one]).notes[0]


def test_a_folder_in_the_place_of_the_map_and_maps_of_other_models_and_later_versions_are_said(tmp_path):
    with (one := dataset(tmp_path, clustered(20))).index as index:
        map_of([one])
        path = index.folder / ONE
        header, rest = header_of(path.read_bytes())
        path.write_bytes(with_header({**header, "format": 99}, rest))
        assert "a later version of clipdex made it" in map_of([one]).notes[0]
        path.write_bytes(with_header({**header, "model": "1" * 64}, rest))
        assert "another model" in map_of([one]).notes[0]
        path.unlink()
        path.mkdir()
        notes = map_of([one]).notes
    assert "not a regular file" in notes[0]
    assert "could not be kept" in notes[1]


def test_datasets_share_one_map_that_is_kept_beside_one_of_them_whatever_their_order(tmp_path):
    one, other = (dataset(tmp_path, clustered(40, seed=seed), name=name) for seed, name in ((1, "b"), (2, "a")))
    with one.index, other.index:
        both = map_of([one, other])
        assert [mapped.name for mapped in both.datasets] == ["b", "a"]
        assert both.landmarks == 80 and len(both) == 80
        assert (other.index.folder / SEVERAL).is_file() and not (one.index.folder / SEVERAL).exists()
        turned = map_of([other, one])
        assert [mapped.coordinates.tobytes() for mapped in turned.datasets[::-1]] == [
            mapped.coordinates.tobytes() for mapped in both.datasets
        ]
        alone = map_of([one])
        assert alone.landmarks == 40
        assert not alone.notes


def test_of_a_part_of_a_dataset_the_map_is_that_of_the_whole(tmp_path):
    pairs = [
        (replace_id(item, f"{('cats', 'dogs')[number % 2]}/{item.id}"), key)
        for number, (item, key) in enumerate(clustered(40))
    ]
    with (whole := dataset(tmp_path, pairs)).index:
        everything = places(whole, map_of([whole]).datasets[0])
        part = replace(whole, part="cats/")
        made = map_of([part])
        found = places(part, made.datasets[0])
        assert len(made) == len(found) == 20
        assert found == {item_id: place for item_id, place in everything.items() if item_id.startswith("cats/")}


def replace_id(item, item_id):
    return item._replace(id=item_id)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_few_items_have_places_too(tmp_path, count):
    found = np.array(list(places_of(tmp_path, clustered(count, clusters=2)).values()))
    assert found.shape == (count, 2)
    assert np.isfinite(found).all()


def test_items_that_are_all_alike_are_at_one_place(tmp_path):
    pairs = [(row(f"{number}.jpg"), b"\7" * (BITS // 8)) for number in range(9)]
    assert set(places_of(tmp_path, pairs).values()) == {(0.0, 0.0)}


def test_an_empty_dataset_has_an_empty_map_and_keeps_none(tmp_path):
    pair = clustered(1)[0]
    with (one := dataset(tmp_path, [pair])).index as index:
        apply(index.folder, remove=[pair[0][:2]], bits=BITS)
        index.refresh()
        made = map_of([one])
        assert len(made) == 0
        assert not (index.folder / ONE).exists()


def test_a_closed_explorer_makes_no_map(photos):
    from clipdex import Explorer
    from clipdex.errors import QueryError

    with Explorer(photos) as explorer:
        pass
    with pytest.raises(QueryError, match="closed"):
        explorer.map()
