"""What a new user does by mistake is answered with what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import clipdex
from clipdex import Explorer, ImageQuery
from clipdex.errors import DatasetError, QueryError


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


URLS = (
    "https://example.org/a.jpg",
    "s3://bucket/a.jpg",
    "file:///tmp/a.jpg",
    "gs://b/c",
    "HTTP://x",
    "https://x/a?b=*",
)


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_refused_as_it_was_typed_and_nothing_is_fetched(cli, photos, url):
    said = f"{url!r} is a URL, and clipdex fetches nothing"
    for arguments in (["query", photos, "--image", url], ["query", photos, "--text", "x", "--not-image", url]):
        done = cli(*arguments)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert f"the query image {said}" in done.err
    for arguments in (["build", url], ["query", url, "--text", "x"], ["info", url], ["explore", url, "--text", "x"]):
        done = cli(*arguments)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert f"the dataset {said}" in done.err
    assert repr(url) in cli("query", photos, "--item", url).err


def test_a_url_from_python_is_shown_as_it_was_typed(photos):
    with pytest.raises(QueryError, match=r"'https://example\.org/a\.jpg' is a URL"):
        ImageQuery(Path("https://example.org/a.jpg"))
    with pytest.raises(DatasetError, match="'s3://bucket/photos' is a URL"):
        Explorer("s3://bucket/photos")


def test_a_folder_with_the_name_of_a_url_is_a_folder(cli, odd_copy, tmp_path):
    there = tmp_path / "here" / "https:" / "photos"
    there.parent.mkdir()
    odd_copy.rename(there)
    assert cli("query", "https://photos", "--item", "loose", "-k", "1").code == 0
    assert cli("query", "https://photos", "--image", "https://photos/loose.png", "-k", "1").code == 0


def test_a_folder_in_the_place_of_an_image_is_told_where_it_goes(cli, photos, odd):
    for command in ("query", "explore"):
        done = cli(command, photos, "--image", photos / "food" / "fig.jpg", odd)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert f"clipdex query {odd} --image FILE" in done.err


@pytest.fixture
def unindexed(photos, tmp_path):
    """The example photos without an index."""
    return Path(shutil.copytree(photos, tmp_path / "unindexed", ignore=shutil.ignore_patterns(".clipdex")))


@pytest.mark.parametrize("command", ["build", "query", "info", "duplicates", "explore"])
def test_an_image_in_the_place_of_a_dataset_is_told_what_to_type(cli, unindexed, command):
    image = unindexed / "food" / "fig.jpg"
    done = cli(command, image, *(["--text", "x"] if command in ("query", "explore") else []))
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"{image} is an image, and" in done.err
    assert f" --image {image}" in done.err
    assert not list(image.parent.glob("*.clipdex*"))


def test_the_images_that_a_shell_makes_of_a_pattern_are_named_once(cli, unindexed):
    food, plants = (sorted((unindexed / name).glob("*.jpg")) for name in ("food", "plants"))
    for command in (["build"], ["info"], ["duplicates"], ["query", "--text=x"], ["explore", "--text=x"]):
        done = cli(*command, *food)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert f"folder: {unindexed}/food, or put the pattern in quotes: '{unindexed}/food/*.jpg'." in done.err
    assert f"Name their folder: {unindexed}. " in cli("build", *food, *plants, unindexed / "SOURCES.md").err


def test_the_images_of_a_pattern_that_are_in_an_index_are_searched_and_not_built(cli, photos):
    food = sorted((photos / "food").glob("*.jpg"))
    assert len(cli("query", *food, "--text", "x", "--output", "json").ids) == len(food)
    for command in (["build"], ["explore", "--text=x"]):
        assert "of the targets are images" in cli(*command, *food).err


def test_a_pattern_in_quotes_is_a_dataset(cli, odd_copy):
    assert cli("build", f"{odd_copy}/*.png").code == 0


def test_a_text_that_is_the_path_of_an_image_is_said_to_be_a_text(cli, photos, tmp_path):
    image = photos / "food" / "fig.jpg"
    done = cli("query", photos, "--text", image, "-k", "1", "--output", "json")
    assert done.code == 0
    assert len([sentence for sentence in done.json["warnings"] if "path of an image" in sentence]) == 1
    assert "is the path of an image, and was searched for as a text" in done.err
    assert "--image" in done.err
    many = cli("query", photos, "--text", *sorted(image.parent.iterdir()), "-k", "1").err
    assert "is the path of an image, as 2 other texts, and was searched for" in many
    for text in ("fig.jpg", "a photo of a .jpg", str(image.parent), "x" * 5000 + ".jpg", "a\0.jpg"):
        with Explorer(photos) as explorer:
            assert not any("is the path" in one for one in explorer.explore_topk(text, topk=1).warnings)


@pytest.mark.parametrize("command", [["query", "--text=x"], ["info"], ["duplicates"]])
def test_a_folder_without_images_is_not_said_to_need_a_build(cli, tmp_path, command):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    (tmp_path / "empty" / "raw.cr2").write_bytes(b"raw")
    done = cli(*command, tmp_path / "empty")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"there are no images in {tmp_path / 'empty'}" in done.err
    assert "Passed over: 1 .cr2" in done.err
    assert "clipdex build" not in done.err


def test_what_has_images_and_no_index_is_said_to_need_a_build(cli, photos, tmp_path):
    (tmp_path / "some" / "deep").mkdir(parents=True)
    (tmp_path / "some" / "deep" / "a.jpg").touch()
    (tmp_path / "list.csv").write_text("path\nsome/deep/a.jpg\n")
    for target in ("some", "list.csv", "some/**/*.jpg"):
        done = cli("query", tmp_path / target, "--text", "x")
        assert (done.code, "has no index yet. Build it: clipdex build" in done.err) == (1, True)
    assert "there are no images" in cli("query", tmp_path / "some" / "*.png", "--text", "x").err
    assert "is not recognised" in cli("query", photos / "SOURCES.md", "--text", "x").err


def test_an_image_is_no_source_of_a_project(cli, odd):
    assert cli("project", "create").code == 0
    image = next(odd.glob("*.png"))
    done = cli("project", "add", image)
    assert done.code == 1
    assert f"{image} is an image, and not a dataset." in done.err


def test_a_current_folder_that_is_gone_is_said(cli, photos, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for arguments in (["build"], ["query", photos, "--text", "dog"], ["info"]):
        done = cli(*arguments)
        assert (done.code, done.err) == (1, "clipdex: the current folder is not there any more: go to another one.\n")


def test_an_empty_file_is_called_empty(cli, photos, tmp_path):
    (tmp_path / "empty.jpg").touch()
    assert "cannot be used: the file is empty." in cli("query", photos, "--image", tmp_path / "empty.jpg").err
