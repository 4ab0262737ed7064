"""Several datasets as one: searched together, merged into one index, and searched away from their images."""

from __future__ import annotations

import shutil

import pytest

from clipdex import Explorer, ImageQuery, TextQuery, build
from clipdex.building.joining import join
from clipdex.errors import DatasetError, ModelMismatch, OutputError
from helpers_engine import contents, distance, every_file, make_folder, renamed_model, rows_and_keys, touch_later

NAMES = ("train/cat/a.png", "train/cat/b.png", "val/dog/a.png", "loose.png")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Three datasets, whose ids are partly the same, and one that holds all of their images. Not to be changed."""
    root = tmp_path_factory.mktemp("parts")
    for number, name in enumerate(("a", "a-b", "c")):
        make_folder(root / name, *NAMES[: 4 - number], seed=number * 10)
        shutil.copytree(root / name, root / "all" / name)
    shutil.copy(root / "a" / "loose.png", root / "c" / "twin.png")  # a tie
    shutil.copy(root / "a" / "loose.png", root / "all" / "c" / "twin.png")
    for name in ("a", "a-b", "c", "all"):
        build(root / name)
    return root


@pytest.fixture(scope="module")
def merged(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("merged") / "together"
    join([parts / "c", parts / "a", f"{parts / 'a-b'}:folder"], folder)
    return folder


def brute_force(datasets, key, k):
    """Distance, dataset and id of the nearest items of datasets, in the order that is right."""
    everything = [
        (distance(key, theirs), number, row.id, row.subset)
        for number, dataset in enumerate(datasets)
        for row, theirs in rows_and_keys(dataset / ".clipdex")
    ]
    return [(far, item_id) for far, _, item_id, _ in sorted(everything)[:k]]


QUERIES = ["a cat in the grass", "loose.png"]


def as_query(query, root):
    return TextQuery(query) if " " in query else ImageQuery(root / "a" / query)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("k", [1, 2, 5, 50])
def test_searching_several_gives_what_one_dataset_with_all_items_gives(parts, query, k):
    with Explorer(parts / "a", f"{parts / 'a-b'}:folder", parts / "c") as several, Explorer(parts / "all") as one:
        found = several.explore_topk(as_query(query, parts), k)
        whole = one.explore_topk(as_query(query, parts), k)
    assert [hit.distance for hit in found] == [hit.distance for hit in whole]
    assert {f"{hit.dataset}/{hit.id}" for hit in found if hit.distance < found[-1].distance} == {
        hit.id for hit in whole if hit.distance < whole[-1].distance
    }


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("k", [1, 2, 5, 50])
def test_a_merged_index_gives_what_brute_force_over_its_parts_gives(parts, merged, encoder, query, k):
    with Explorer(merged) as explorer:
        found = explorer.explore_topk(as_query(query, parts), k)
    if " " in query:
        key = encoder.text_key(query).key.tobytes()
    else:
        key = next(key for row, key in rows_and_keys(parts / "a" / ".clipdex") if row.id == query)
    named = []
    for name in ("a", "a-b", "c"):
        named += [(far, f"{name}/{item}") for far, item in brute_force([parts / name], key, 50)]
    in_order = sorted(named, key=lambda pair: (pair[0], pair[1]))[:k]
    assert [(hit.distance, hit.id) for hit in found] == in_order
    assert all((parts / hit.id).samefile(hit.path) for hit in found)


def test_merging_copies_keys_and_leaves_the_parts_alone(parts, merged):
    before = every_file(parts)
    rows = {row.id: (key, row.subset, row.labels) for row, key in rows_and_keys(merged / ".clipdex")}
    for name in ("a", "a-b", "c"):
        for row, key in rows_and_keys(parts / name / ".clipdex"):
            assert rows.pop(f"{name}/{row.id}") == (key, row.subset, row.labels)
    assert not rows
    assert every_file(parts) == before


def test_on_the_command_line_it_is_searched_like_a_dataset(cli, parts, tmp_path):
    done = cli("merge", parts / "a", parts / "c", "-o", tmp_path / "both")
    assert done.code == 0, done.err
    assert "7 images in the index (a 4, c 3; model starter)" in done.err
    found = cli("query", tmp_path / "both", "--item", "a/loose", "-k", "2", "--output", "json", "-s", "-o", "saved")
    assert found.ids == ["a/loose.png", "c/twin.png"]
    assert [hit["path"] for hit in found.json["hits"]] == [str(parts / "a/loose.png"), str(parts / "c/twin.png")]
    saved = tmp_path / "here" / "saved" / "both" / "default"
    assert (saved / "c" / "twin.png").read_bytes() == (parts / "a" / "loose.png").read_bytes()
    (info,) = cli("info", tmp_path / "both", "--json").json
    assert (info["format"], info["items"], info["new"] + info["changed"] + info["gone"]) == ("merged", 7, 0)


def test_its_datasets_are_chosen_by_the_paths_of_ids(cli, parts, merged):
    done = cli("query", merged, "--text", "a cat", "--path", "a/", "--output", "json")
    assert done.ids and all(one.startswith("a/") for one in done.ids)
    done = cli("query", merged, "--text", "a cat", "--dataset", "a")
    assert (done.code, "--path 'NAME/'" in done.err) == (1, True)


def test_a_build_brings_it_up_to_date_with_the_images(cli, parts, tmp_path):
    for name in ("a", "c"):
        shutil.copytree(parts / name, tmp_path / name)
    join([tmp_path / "a", tmp_path / "c"], tmp_path / "both")
    assert "7 unchanged" in cli("build", tmp_path / "both").err
    (tmp_path / "a" / "loose.png").unlink()
    touch_later(tmp_path / "c" / "twin.png")
    make_folder(tmp_path / "a", "new.png", seed=77)
    done = cli("build", tmp_path / "both")
    assert "1 added, 1 touched, 5 unchanged, 1 removed, 0 failed; 7 images in the index" in done.err
    assert "c/twin.png" in cli("query", tmp_path / "both", "--item", "a/new", "--output", "json").ids


def test_merging_again_replaces_a_merged_index_and_nothing_else(parts, tmp_path):
    join([parts / "a", parts / "c"], tmp_path / "both")
    assert join([parts / "a", parts / "a-b"], tmp_path / "both").items == {"a": 4, "a-b": 3}
    assert len(rows_and_keys(tmp_path / "both" / ".clipdex")) == 7
    other = shutil.copytree(parts / "c", tmp_path / "other")
    before = contents(other)
    with pytest.raises(OutputError, match="has something in it"):
        join([parts / "a", parts / "c"], other)
    for path in other.iterdir():
        if path.name != ".clipdex":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(OutputError, match="the index of another dataset"):
        join([parts / "a", parts / "c"], other)
    assert contents(other).items() <= before.items()


def test_what_cannot_be_merged_is_refused(cli, parts, merged, tmp_path):
    with pytest.raises(DatasetError, match="two datasets"):
        join([parts / "a", parts / "a"], tmp_path / "x")
    with pytest.raises(DatasetError, match="merged dataset itself"):
        join([parts / "a", merged], tmp_path / "x")
    other = make_folder(tmp_path / "other", "x.png")
    build(other, model=str(renamed_model(tmp_path / "model", "another")))
    with pytest.raises(ModelMismatch, match="another"):
        join([parts / "a", other], tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert cli("merge", "-o", tmp_path / "x").code == 2
    assert "has no index yet" in cli("merge", parts / "a", make_folder(tmp_path / "new", "a.png"), "-o", "x").err


def test_two_datasets_of_the_same_name_keep_their_items_apart(parts, tmp_path):
    same = shutil.copytree(parts / "a", tmp_path / "a")
    joined = join([parts / "a", same], tmp_path / "both")
    assert joined.items == {"a": 4, "a-2": 4}
    with Explorer(tmp_path / "both") as explorer:
        hits = explorer.explore_topk(ImageQuery(parts / "a" / "loose.png"), 2)
    assert [(hit.id, hit.distance, hit.path) for hit in hits] == [
        ("a-2/loose.png", 0, str(same / "loose.png")),
        ("a/loose.png", 0, str(parts / "a" / "loose.png")),
    ]


def test_an_index_away_from_its_images_answers_and_shows_them_as_missing(cli, parts, tmp_path):
    here = cli("query", parts / "a", "--text", "a cat", "-k", "3", "--output", "json")
    for name, folder in ((".clipdex", tmp_path / "x" / ".clipdex"), ("plain", tmp_path / "plain")):
        shutil.copytree(parts / "a" / ".clipdex", folder)
        done = cli("query", "--index", folder, "--text", "a cat", "-k", "3", "--output", "json")
        assert done.code == 0, done.err
        assert [(hit["id"], hit["distance"]) for hit in done.json["hits"]] == [
            (hit["id"], hit["distance"]) for hit in here.json["hits"]
        ], name
        assert all(hit["missing"] is True for hit in done.json["hits"])
        table = cli("query", "--index", folder, "--item", "loose", "-k", "2")
        assert [line.split()[-1] for line in table.lines] == ["image", "missing", "missing"]
    assert not any("missing" in hit for hit in here.json["hits"])
    assert "image" not in cli("query", parts / "a", "--item", "loose").lines[0]


def test_saving_what_is_missing_says_so_and_writes_sheet_and_data(cli, parts, tmp_path):
    shutil.copytree(parts / "a" / ".clipdex", tmp_path / "index")
    done = cli("query", "--index", tmp_path / "index", "--item", "loose", "-k", "2", "-s", "-o", "saved")
    assert done.code == 1  # not one of the images could be copied
    assert "loose.png is not there any more" in done.err
    assert {path.name for path in (tmp_path / "here" / "saved").iterdir()} >= {"sheet.png", "result.json"}


def test_an_index_alone_finds_images_that_are_where_it_says(cli, parts, tmp_path):
    copy = shutil.copytree(parts / "a", tmp_path / "copy")
    done = cli("query", "--index", copy / ".clipdex", "--item", "loose", "-k", "1", "--output", "json")
    assert [(hit["path"], "missing" in hit) for hit in done.json["hits"]] == [(str(copy / "loose.png"), False)]
    assert cli("build", copy, "--index", tmp_path / "index", "--quiet").code == 0
    done = cli("query", "--index", tmp_path / "index", "--item", "loose", "-k", "1", "--output", "json")
    assert done.json["hits"][0]["path"] == str(copy / "loose.png")
    assert done.json["datasets"][0]["name"] == "copy"
    done = cli("query", "--index", tmp_path / "nothing", "--item", "loose")
    assert (done.code, str(tmp_path / "nothing") in done.err) == (1, True)


def test_a_merged_index_goes_to_another_machine(cli, parts, tmp_path):
    for name in ("a", "c"):
        shutil.copytree(parts / name, tmp_path / "old" / name)
    join([tmp_path / "old" / "a", tmp_path / "old" / "c"], tmp_path / "both")
    shutil.rmtree(tmp_path / "old")
    done = cli("query", tmp_path / "both", "--item", "a/loose", "-k", "7", "--output", "json")
    assert len(done.ids) == 7 and all(hit["missing"] for hit in done.json["hits"])
    build_again = cli("build", tmp_path / "both")
    assert (build_again.code, str(tmp_path / "old" / "a") in build_again.err) == (1, True)
    assert len(cli("query", tmp_path / "both", "--item", "a/loose", "--output", "json").ids) == 7


def test_a_forged_merged_index_is_no_traceback(tmp_path):
    from clipdex.readers.merged import MergedReader

    for text in (
        "",
        "[]",
        '["relative", "folder", {}]',
        '["/x", "merged", {}]',
        '["/x", "folder", {"a": 1}]',
        "[" * 99999,
    ):
        with pytest.raises(DatasetError):
            MergedReader(tmp_path, {"parts": text})
    with pytest.raises(DatasetError, match="clipdex merge"):
        MergedReader(tmp_path)
