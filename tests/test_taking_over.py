"""A build takes over the hash keys of indexes in the folders of the dataset, and of one above it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clipdex import build
from clipdex.building import pipeline
from clipdex_indexes import Index, IndexWriter
from helpers_engine import make_folder, renamed_model, rows_and_keys, touch_later


@pytest.fixture
def years(tmp_path: Path) -> Path:
    """A folder of two years and a picture beside them; the years have an index each."""
    root = make_folder(
        tmp_path / "photos", "2020/a.png", "2020/b/c.png", "2020/b.png", "2021/a.png", "20210/x.png", "z.png"
    )
    build(root / "2020")
    build(root / "2021")
    return root


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of pictures that a build decodes from here on."""
    count = [0]
    decode_to_hash = pipeline.decode_to_hash

    def counted(*arguments, **settings):
        count[0] += 1
        return decode_to_hash(*arguments, **settings)

    monkeypatch.setattr(pipeline, "decode_to_hash", counted)
    return count


def scratch(root: Path, index: Path) -> list:
    """What a build of everything puts into an index."""
    build(root, index=index, rebuild=True)
    return rows_and_keys(index)


def shown(report) -> dict[str, int]:
    return {Path(root).relative_to(report.root).as_posix(): count for root, count in report.taken_over.items()}


def test_a_build_above_takes_over_what_indexes_below_have(years, decoded, tmp_path):
    report = build(years)
    assert decoded == [2]
    assert (report.added, report.hashed, shown(report)) == (6, 2, {"2020": 3, "2021": 1})
    assert report.left_aside == {}
    assert rows_and_keys(years / ".clipdex") == scratch(years, tmp_path / "scratch")
    again = build(years)
    assert (again.unchanged, dict(again.taken_over)) == (6, {})


def test_the_innermost_index_is_asked_first_and_outer_ones_after_it(years, decoded):
    build(years / "2020" / "b")
    make_folder(years, "2020/b/new.png", "2020/new.png", seed=50)
    build(years / "2020")
    decoded[0] = 0
    report = build(years)
    assert decoded == [2]
    assert shown(report) == {"2020/b": 1, "2020": 4, "2021": 1}


def test_files_that_were_touched_are_read_and_taken_over_by_their_content(years, decoded, tmp_path):
    touch_later(years / "2020" / "a.png")
    report = build(years)
    assert (decoded, shown(report)) == ([2], {"2020": 3, "2021": 1})
    assert rows_and_keys(years / ".clipdex") == scratch(years, tmp_path / "scratch")


def test_files_that_were_changed_are_hashed(years, decoded, tmp_path):
    changed = years / "2020" / "a.png"
    shutil.copy(years / "2021" / "a.png", changed)
    same_size = years / "2020" / "b.png"
    data = bytearray(same_size.read_bytes())
    data[-20] ^= 1
    same_size.write_bytes(data)
    touch_later(same_size)
    report = build(years)
    assert (report.added + len(report.failed), shown(report)) == (6, {"2020": 1, "2021": 1})
    assert rows_and_keys(years / ".clipdex") == scratch(years, tmp_path / "scratch")


def test_a_later_build_takes_over_what_is_new_and_changed(years, decoded, tmp_path):
    build(years)
    make_folder(years, "2020/a.png", "2020/new.png", seed=60)
    touch_later(years / "2021" / "a.png")
    build(years / "2020")
    build(years / "2021")
    decoded[0] = 0
    report = build(years)
    assert decoded == [0]
    assert (report.added, report.changed, report.touched, shown(report)) == (1, 1, 1, {"2020": 2})
    assert rows_and_keys(years / ".clipdex") == scratch(years, tmp_path / "scratch")


def test_a_moved_file_is_renamed_and_not_added(years, decoded):
    build(years)
    (years / "2020" / "a.png").rename(years / "2021" / "moved.png")
    build(years / "2021")
    decoded[0] = 0
    report = build(years)
    assert (decoded, report.renamed, report.added, report.removed) == ([0], 1, 0, 0)


def test_an_index_inside_another_takes_over_from_above(years, decoded, tmp_path):
    build(years)
    said = []
    for name in ("2020", "2021"):
        shutil.rmtree(years / name / ".clipdex")
    decoded[0] = 0
    report = build(years / "2020", notice=said.append)
    assert decoded == [0]
    assert (report.hashed, dict(report.taken_over)) == (0, {str(years): 3})
    assert [f"{years / '2020'} is in the index of {years}" in sentence for sentence in said] == [True]
    assert rows_and_keys(years / "2020" / ".clipdex") == scratch(years / "2020", tmp_path / "scratch")
    assert build(years / "2020", notice=said.append).unchanged == 3
    assert len(said) == 1


def test_a_pattern_and_an_index_elsewhere_take_over_too(years, decoded, tmp_path):
    assert build(years / "2020" / "*.png").taken_over == {str(years / "2020"): 2}
    report = build(years / "2020", index=tmp_path / "index")
    assert report.taken_over == {str(years / "2020"): 3}
    assert decoded == [0]
    assert rows_and_keys(tmp_path / "index") == rows_and_keys(years / "2020" / ".clipdex")


def test_a_rebuild_hashes_everything(years, decoded):
    build(years)
    decoded[0] = 0
    report = build(years, rebuild=True)
    assert (decoded, report.taken_over, report.left_aside) == ([6], {}, {})
    shutil.rmtree(years / ".clipdex")
    assert build(years, rebuild=True).hashed == 6


def test_damaged_images_are_decoded_and_listed_again(years, tmp_path):
    path = years / "2020" / "cut.jpg"
    make_folder(years, "2020/whole.jpg", seed=70)
    data = (years / "2020" / "whole.jpg").read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    below = build(years / "2020")
    assert [failure.id for failure in below.damaged] == ["cut.jpg"]
    report = build(years)
    assert [failure.id for failure in report.damaged] == ["2020/cut.jpg"]
    assert shown(report) == {"2020": 4, "2021": 1}
    assert rows_and_keys(years / ".clipdex") == scratch(years, tmp_path / "scratch")


def test_another_model_or_precision_is_left_aside_and_said(years, tmp_path, decoded):
    build(years / "2020", model=str(renamed_model(tmp_path / "other", "other")), rebuild=True)
    decoded[0] = 0
    report = build(years)
    assert (decoded, shown(report)) == ([5], {"2021": 1})
    assert list(report.left_aside) == [str(years / "2020")]
    assert "it was hashed by model 'other'" in report.left_aside[str(years / "2020")]


def test_another_precision_is_left_aside(years, decoded):
    with IndexWriter(years / "2020" / ".clipdex", fresh=True) as writer, Index(years / "2021" / ".clipdex") as other:
        stamp = other.manifest.model
        writer.start(type(stamp)(stamp.name, stamp.digest, stamp.bits, "f16"), "folder", "test")
        writer.add([(row, other.key(location).tobytes()) for location, row in other.items()])
        writer.commit()
    report = build(years)
    assert report.left_aside == {str(years / "2020"): f"it was hashed in f16, and not in {report.index_precision}"}


@pytest.mark.parametrize(
    "damage", ["manifest", "one bit of a key", "one bit of a table", "missing file", "failed.json"]
)
def test_a_damaged_index_below_stops_no_build(years, damage, decoded, tmp_path):
    index = years / "2020" / ".clipdex"
    [keys] = index.glob("segments/*.faiss")
    [table] = index.glob("segments/*.sqlite")
    if damage == "manifest":
        (index / "manifest.json").write_text("{}")
    elif damage == "missing file":
        keys.unlink()
    elif damage == "failed.json":
        (index / "failed.json").write_text("[" * 100_000)
    else:
        path = keys if "key" in damage else table
        data = bytearray(path.read_bytes())
        data[-1 if path == keys else len(data) // 2] ^= 1
        path.write_bytes(data)
    report = build(years)
    assert (decoded, shown(report)) == ([5], {"2021": 1})
    assert list(report.left_aside) == [str(years / "2020")]
    assert rows_and_keys(years / ".clipdex") == scratch(years, tmp_path / "scratch")


def test_damage_beyond_the_sample_of_a_large_index_is_found_before_a_key_is_taken(years, decoded, tmp_path):
    """Opening an index looks at a sample of its bytes only."""
    index = years / "2020" / ".clipdex"
    pairs = rows_and_keys(index)
    row, key = pairs[0]
    more = [(row._replace(id=f"c/{number:06}.png"), key) for number in range(5000)]
    with IndexWriter(index) as writer:
        writer.add(more)
        writer.commit(optimize=True)
    [keys] = index.glob("segments/*.faiss")
    data = bytearray(keys.read_bytes())
    data[5000] ^= 1
    keys.write_bytes(data)
    with Index(index) as opened:
        assert len(opened) == 5003
    report = build(years)
    assert (decoded, shown(report)) == ([5], {"2021": 1})
    assert "its checksum is not the one in the manifest" in report.left_aside[str(years / "2020")]


def test_an_index_of_another_dataset_or_format_below_is_left_aside(years, odd, decoded):
    shutil.rmtree(years / "2020" / ".clipdex")
    build(odd, index=years / "2020" / ".clipdex")
    shutil.rmtree(years / "2021" / ".clipdex")
    (years / "2021" / "list.csv").write_text("path\na.png\n")
    with IndexWriter(years / "2021" / ".clipdex") as writer, Index(odd / ".clipdex") as other:
        writer.start(other.manifest.model, "coco", "test")
        writer.add([(row, other.key(location).tobytes()) for location, row in other.items()])
        writer.commit()
    decoded[0] = 0
    report = build(years)
    assert decoded == [6]
    assert "holds the index of" in report.left_aside[str(years / "2020")]
    assert report.left_aside[str(years / "2021")] == "it is read as coco, and not as a folder"


def test_what_a_build_took_over_is_said(cli, years, tmp_path):
    build(years / "2021", model=str(renamed_model(tmp_path / "other", "other")), rebuild=True)
    done = cli("build", years)
    assert f"{years}: 3 hash keys taken over: 3 from the index of {years / '2020'}\n" in done.err
    assert f"{years}: nothing taken over from the index of {years / '2021'}: it was hashed by model 'other'" in done.err
    assert "6 added, 0 unchanged" in done.err
    assert "taken over" not in cli("build", years).err
    assert cli("build", years / "2020" / "b").err.startswith(
        f"{years / '2020' / 'b'} is in the index of {years / '2020'}"
    )


def test_an_interrupted_build_keeps_what_was_taken_over(years, monkeypatch):
    def stopped(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "prepare", stopped)
    with pytest.raises(KeyboardInterrupt):
        build(years)
    monkeypatch.undo()
    report = build(years)
    assert report.unchanged + report.added == 6
    with Index(years / ".clipdex") as index:
        assert (len(index), index.manifest.complete) == (6, True)


@pytest.mark.parametrize("seed", range(4))
def test_random_trees_give_the_index_of_a_build_from_scratch(tmp_path, seed, decoded):
    """Indexes at random places of a tree, some of them out of date."""
    rng = np.random.default_rng(seed)
    root = make_folder(tmp_path / "d", "a.png", seed=1000 * seed)
    names = [f"{'/'.join(rng.choice(['a', 'a b', 'a-', 'b'], rng.integers(1, 4)))}/{n}.png" for n in range(14)]
    make_folder(root, *names, seed=1000 * seed + 1)
    folders = sorted({path.parent for path in root.rglob("*.png")} - {root})
    for folder in rng.permutation(folders)[: len(folders) // 2]:
        build(folder)
    for name in rng.permutation(names)[:3]:
        touch_later(root / name)
    make_folder(root, *rng.permutation(names)[:3], seed=1000 * seed + 500)
    decoded[0] = 0
    report = build(root)
    assert report.added - sum(report.taken_over.values()) == decoded[0]
    assert report.taken_over
    assert rows_and_keys(root / ".clipdex") == scratch(root, tmp_path / "scratch")
