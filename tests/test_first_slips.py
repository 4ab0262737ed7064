"""What a new user does by mistake is answered with what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import clipdex
from clipdex import Explorer
from clipdex.errors import QueryError


def test_closed_explorer_says_that_it_is_closed(photos):
    explorer = Explorer(photos)
    explorer.close()
    with pytest.raises(QueryError, match="closed"):
        explorer.explore_topk("a dog")
    with pytest.raises(QueryError, match="closed"):
        explorer.item("food/fig")


def test_index_folder_of_another_dataset_is_refused(cli, odd, photos, tmp_path):
    index = tmp_path / "index"
    assert cli("build", odd, "--index", index).code == 0
    before = sorted((path, path.read_bytes()) for path in index.rglob("*") if path.is_file())
    for arguments in (["build"], ["query", "--text=dog"], ["info"]):
        done = cli(*arguments, photos, "--index", index)
        assert done.code == 1
        assert str(odd) in done.err
    assert sorted((path, path.read_bytes()) for path in index.rglob("*") if path.is_file()) == before
    assert cli("build", photos, "--index", index, "--rebuild").code == 0
    assert cli("query", photos, "--index", index, "--item", "food/fig").code == 0


def test_index_elsewhere_follows_a_dataset_that_was_moved(cli, odd_copy, tmp_path):
    index = tmp_path / "index"
    assert cli("build", odd_copy, "--index", index).code == 0
    moved = odd_copy.rename(tmp_path / "moved")
    assert cli("query", moved, "--index", index, "--item", "loose").code == 0


@pytest.mark.parametrize("arguments", [["--text", "-dog"], ["--text", "--image"], ["--image", "-k", "3"], ["--item"]])
def test_option_without_a_value_is_named(cli, photos, arguments):
    done = cli("query", photos, *arguments)
    assert done.code == 2
    assert f"{arguments[0]} needs a value" in done.err


def test_words_in_the_place_of_targets_are_recognised(cli, photos):
    done = cli("query", photos, "brown", "dog")
    assert done.code == 2
    assert "--text 'brown dog'" in done.err


def test_text_that_is_the_name_of_a_folder_is_pointed_out(cli, photos):
    Path("plants").mkdir()
    done = cli("query", photos, "--text", "dog", "plants", "-k", "1")
    assert done.code == 0
    assert "'plants' is searched for as a text" in done.err


@pytest.mark.parametrize("way", ["absolute", "from here", "from inside"])
def test_item_can_be_given_by_the_path_of_its_file(cli, photos, monkeypatch, way):
    if way == "absolute":
        name = str(photos / "food" / "fig.jpg")
    else:
        monkeypatch.chdir(photos.parent if way == "from here" else photos)
        name = f"{photos.name}/food/fig.jpg" if way == "from here" else "./food/fig.jpg"
    done = cli("query", photos, "--item", name, "-k", "1", "--output", "csv")
    assert done.code == 0
    assert b"food/fig.jpg" in done.out


def test_path_that_leads_out_of_the_dataset_is_no_item(cli, photos):
    assert cli("query", photos, "--item", str(photos.parent / "other.jpg")).code == 1
    assert cli("query", photos, "--item", str(photos)).code == 1


def test_item_in_another_subset_is_said_to_be_there(cli, odd):
    done = cli("query", odd, "--query-item-id", "train/cat/a.png", "--query-item-subset", "trian")
    assert done.code == 1
    assert "It is in subset train." in done.err


def test_saving_into_the_dataset_itself_is_refused(cli, odd_copy):
    before = sorted(odd_copy.rglob("*"))
    assert cli("query", odd_copy, "--item", "loose", "-o", odd_copy / "train", "--force").code == 1
    assert sorted(odd_copy.rglob("*")) == before
    # A folder made by saving is no part of the dataset, and can be added to.
    found = odd_copy / "found"
    assert cli("query", odd_copy, "--item", "loose", "-o", found).code == 0
    assert cli("query", odd_copy, "--item", "loose", "-o", found, "--force").code == 0
    assert b"6 unchanged" in cli("build", odd_copy).err.encode()


def test_saving_no_image_at_all_is_a_failure(cli, odd_copy):
    assert cli("query", odd_copy, "--item", "loose").code == 0
    shutil.rmtree(odd_copy)
    done = cli("save", "-o", "out")
    assert done.code == 1
    assert "missing" in done.err


def test_query_of_an_emptied_dataset_says_that_there_is_nothing(cli, odd_copy):
    for path in [path for path in odd_copy.rglob("*.png") if path.is_file()]:
        path.unlink()
    assert cli("build", odd_copy, "--prune").code == 1
    done = cli("query", odd_copy, "--text", "dog")
    assert done.code == 0
    assert "No hits" in done.err


def test_every_public_name_is_there_and_listed():
    assert set(clipdex.__all__) <= set(dir(clipdex))
    for name in clipdex.__all__:
        assert getattr(clipdex, name) is not None


def test_a_table_without_a_path_is_told_its_columns(cli, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    done = cli("build", tmp_path / "t.csv")
    assert done.code == 1
    assert "there is no column called path" in done.err


def test_a_damaged_zip_is_said_to_be_damaged(cli, tmp_path):
    (tmp_path / "d.zip").write_bytes(b"PK garbage")
    done = cli("build", tmp_path / "d.zip")
    assert done.code == 1
    assert "cannot be read as an archive" in done.err


def test_advised_commands_can_be_pasted_where_paths_have_spaces(cli, tmp_path):
    place = tmp_path / "a b"
    place.mkdir()
    done = cli("query", "-p", place, "--text", "x")
    assert f"clipdex project create '{place}'" in done.err


def test_rebuilding_is_advised_only_in_formats_and_with_options_that_there_are(cli, odd_copy):
    assert cli("build", odd_copy).code == 0
    assert "there is no format 'nope'" in cli("build", f"{odd_copy}:nope").err
    assert "the format folder has no option 'label'" in cli("build", odd_copy, "--option", "label=x").err


def test_merging_a_dataset_with_itself_says_that_it_is_named_twice(cli, odd_copy, tmp_path):
    assert cli("build", odd_copy).code == 0
    assert "is named 2 times" in cli("merge", odd_copy, odd_copy, "-o", tmp_path / "both").err


def test_files_that_cannot_be_written_or_read_are_named_once(cli, odd_copy, tmp_path):
    assert cli("build", odd_copy).code == 0
    assert cli("export", "--hash-keys", tmp_path / "no" / "k.json", odd_copy).err.count("cannot write") == 1
    (tmp_path / "no.json").write_text("not")
    assert "it is not JSON" in cli("save", tmp_path / "no.json").err
    assert "clip.zip does not exist" in cli("model", "add", tmp_path / "clip.zip").err


def test_an_image_in_the_place_of_a_target_is_told_from_words(cli, odd_copy):
    assert "Did you mean --image" in cli("query", odd_copy, odd_copy / "loose.png").err
    assert "Did you mean --text 'a dog'?" in cli("query", odd_copy, "a dog").err


def test_exclude_self_without_an_item_is_said_to_do_nothing(cli, odd):
    done = cli("query", odd, "--text", "a dog", "--exclude-self", "-k", "1")
    assert (done.code, "leaves out the items that --item names, and there is none" in done.err) == (0, True)
    assert "leaves out" not in cli("query", odd, "--item", "loose", "--exclude-self", "-k", "1").err
