"""``clipdex explore``: each example of the documentation of the command that it takes over from, as written there."""

from __future__ import annotations

import shlex
import shutil

import pytest

from clipdex import Explorer
from clipdex.projects.reading import open_project
from helpers_engine import PHOTOS, touch_later

# As written, but for "datum" and with real paths and ids; some have one dash where the others have two.
EXAMPLES = {
    "image path": "explore -query-img-path {image1} -topk 10 {dataset}",
    "item id": "explore --query-item-id {item} -topk 10 {dataset}",
    "item id and subset": "explore --query-item-id {item} --query-item-subset {subset} -topk 10 {dataset}",
    "text": "explore --query-str elephant -topk 10 {dataset}",
    "list of images": "explore --query-img-path {image1} {image2} {image3} -topk 50 {dataset}",
    "list of texts": "explore --query-str motorcycle bus train -topk 50 {dataset}",
}


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory):
    """Example photos that nobody has built, in two subsets."""
    root = tmp_path_factory.mktemp("unbuilt") / "photos"
    for number, name in enumerate(("animals", "vehicles")):
        shutil.copytree(PHOTOS / name, root / ("train", "val")[number] / name)
    return root


@pytest.fixture
def words(unbuilt):
    return {
        "image1": unbuilt / "train/animals/koala.jpg",
        "image2": unbuilt / "train/animals/giraffes.jpg",
        "image3": unbuilt / "val/vehicles/steam-train.jpg",
        "item": "train/animals/koala",
        "subset": "train",
        "dataset": f"{unbuilt}/",
    }


def split(line, words):
    return [part.format(**words) for part in shlex.split(line)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_builds_where_needed_and_answers_as_a_query_does(cli, unbuilt, words, name):
    arguments = split(EXAMPLES[name], words)
    done = cli(*arguments, "--output", "json")
    assert done.code == 0, done.err
    topk = int(arguments[arguments.index("-topk") + 1])
    with Explorer(unbuilt) as explorer:
        assert len(done.ids) == min(topk, len(explorer))
    assert done.json["topk"] == topk
    again = cli("query", *arguments[1:], "--output", "json")
    assert (again.out, again.code) == (done.out, 0)
    nearest = {"text": "train/animals/elephant.png", "list of texts": "val/vehicles/steam-train.jpg"}
    assert done.ids[0] == nearest.get(name, "train/animals/koala.jpg" if name != "list of images" else done.ids[0])
    if name == "list of images":
        assert [hit["distance"] for hit in done.json["hits"][:4]] == [0, 0, 0, done.json["hits"][3]["distance"]]


def test_the_example_within_a_project(cli, unbuilt, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in (
        "project create {project}",
        "project import -p {project} -f folder {dataset}",
        "explore -p {project} -query-img-path {image1} -topk 10",
    ):
        done = cli(*split(line, {**words, "project": tmp_path / "project"}))
        assert done.code == 0, done.err
    (stage,) = open_project(tmp_path / "project").stages
    assert stage.options == {"topk": 10}
    monkeypatch.chdir(tmp_path / "project")
    done = cli("explore", "-query-img-path", words["image1"], "-topk", "10", "--output", "json")
    assert done.ids[0] == "train/animals/koala.jpg"
    assert len(open_project(tmp_path / "project").stages) == 1


@pytest.mark.parametrize("save", [["-s"], ["-s", "true"], ["--save"], ["--save", "True"], ["-s", "1"]])
def test_save_writes_to_explore_result_by_default(cli, words, tmp_path, save):
    done = cli("explore", *save, "--query-item-id", words["item"], "-topk", "2", words["dataset"])
    assert done.code == 0, done.err
    saved = tmp_path / "here" / "explore_result"
    assert {path.name for path in saved.iterdir()} >= {"sheet.png", "result.json", "train"}
    copied = saved / "train" / "train" / "animals" / "koala.jpg"
    assert copied.read_bytes() == words["image1"].read_bytes()


def test_save_false_saves_nothing_and_o_says_where(cli, words, tmp_path):
    arguments = ["explore", words["dataset"], "--query-item-id", words["item"], "-topk", "2"]
    assert cli(*arguments, "-s", "false").code == 0
    assert not list((tmp_path / "here").iterdir())
    assert cli(*arguments, "-s", "true", "-o", "there", "--stage", "false").code == 0
    assert (tmp_path / "here" / "there" / "sheet.png").is_file()


def test_the_usage_line_in_its_order(cli, words, tmp_path):
    cli("project", "create", tmp_path / "p")
    done = cli(
        *("explore", words["dataset"], "--query-img-path", words["image1"], "--query-item-id", words["item"]),
        *("--query-item-subset", words["subset"], "--query-str", "a train", "-topk", "3", "-p", tmp_path / "p"),
        *("-s", "true", "-o", "out", "--stage", "true", "--output", "json"),
    )
    assert done.code == 0, done.err
    assert [one["kind"] for one in done.json["queries"]] == ["image", "item", "text"]
    assert len(done.ids) == 3
    assert (tmp_path / "here" / "out" / "result.json").is_file()


def test_an_index_is_brought_up_to_date_and_nothing_is_said_when_it_is(cli, unbuilt, tmp_path):
    copy = shutil.copytree(unbuilt, tmp_path / "copy")
    arguments = ["explore", copy, "--query-str", "a dog", "-topk", "50", "--output", "json"]
    count = len(cli(*arguments).ids)
    touch_later(copy / "train/animals/koala.jpg")
    (copy / "train/animals/giraffes.jpg").unlink()
    done = cli(*arguments)
    assert "0 added, 1 touched" in done.err and "1 removed" in done.err
    assert len(done.ids) == count - 1
    assert cli(*arguments).err == ""


def test_what_cannot_be_explored_is_said(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    done = cli("explore", tmp_path / "empty", "--query-str", "dog")
    assert (done.code, done.out) == (1, b"")
    assert "there are no images" in done.err
    assert cli("explore", "--query-str", "dog").code == 2
    assert cli("explore", tmp_path / "empty").code == 2


def test_format_and_options_are_those_of_the_build(cli, unbuilt, tmp_path, monkeypatch):
    (unbuilt.parent / "list.csv").write_text(
        "where,kind\nphotos/train/animals/koala.jpg,bear\nphotos/val/vehicles/steam-train.jpg,train\n"
    )
    cli("project", "create", tmp_path / "p")
    cli("project", "add", unbuilt, "-n", "photos", "-p", tmp_path / "p")
    table = ("--format", "csv", "--option", "path=where", "--option", "label=kind")
    words = ("explore", unbuilt.parent / "list.csv", "--query-str", "a train", "-topk", "1", "--output", "json")
    done = cli(*words, *table)
    assert (done.code, done.json["hits"][0]["labels"]) == (0, ["train"])
    monkeypatch.chdir(tmp_path / "p")
    assert cli("explore", "photos", "--format", "folder", "--query-str", "a koala", "-topk", "1").code == 0
    assert open_project(tmp_path / "p").stages[0].options == {"topk": 1}
    assert cli("explore", "photos", "--option", "nonsense", "--query-str", "a koala").code == 2


def test_an_image_that_is_not_there_is_found_out_before_anything_is_built(cli, unbuilt, tmp_path):
    copy = shutil.copytree(unbuilt, tmp_path / "copy", ignore=shutil.ignore_patterns(".clipdex"))
    done = cli("explore", "-query-img-path", "nothing.jpg", "-topk", "3", copy)
    assert done.code == 1
    assert "'nothing.jpg' cannot be used: no such file" in done.err
    assert not (copy / ".clipdex").exists()


def test_an_index_that_cannot_be_written_is_searched_as_it_is(cli, unbuilt, tmp_path):
    copy = shutil.copytree(unbuilt, tmp_path / "copy")
    arguments = ["explore", copy, "--query-str", "a dog", "-topk", "3", "--output", "json"]
    before = cli(*arguments)
    (copy / ".clipdex" / "lock").unlink()
    (copy / ".clipdex" / "lock").mkdir()
    done = cli(*arguments)
    assert (done.code, done.ids) == (0, before.ids)
    assert "copy: searched as it was built: cannot lock" in done.err


@pytest.fixture
def old_project(cli, unbuilt, tmp_path):
    """A project as the old tests made it, with a dataset that nobody named."""
    project = tmp_path / "proj"
    assert cli("project", "create", "-o", project).code == 0
    assert cli("project", "import", "-p", project, "-f", "folder", unbuilt).code == 0
    return project


@pytest.mark.parametrize("target", [["source-1"], ["project"], []], ids=" ".join)
def test_targets_of_old_commands_and_where_they_saved(cli, words, old_project, target):
    query = ["--query-img-path", words["image1"], "-topk", "2", "-p", old_project, "-s"]
    done = cli("explore", *target, *query)
    assert done.code == 0, done.err
    assert ("source-1 is taken for the source number 1 of the project: photos" in done.err) == (target == ["source-1"])
    saved = old_project / "explore_result"
    assert (saved / "train" / "train" / "animals" / "koala.jpg").is_file()
    assert not (old_project.parent / "here" / "explore_result").exists()
    (stage,) = open_project(old_project).stages
    assert stage.targets == (("photos",) if target == ["source-1"] else ())
    # A second result lies beside the first, which stays.
    assert cli("explore", *target, *query).code == 0
    assert (old_project / "explore_result-2" / "sheet.png").is_file()


def test_o_says_where_also_with_a_project(cli, words, old_project):
    arguments = ["--query-img-path", words["image1"], "-topk", "1", "-p", old_project, "-s", "-o", "out"]
    assert cli("explore", *arguments, "--save-as", "ids").code == 0
    assert (old_project.parent / "here" / "out" / "photos" / "train" / "train" / "animals" / "koala.jpg").is_file()


def test_several_datasets_are_saved_apart(cli, words, unbuilt, tmp_path):
    other = shutil.copytree(unbuilt / "val", tmp_path / "other")
    done = cli("explore", words["dataset"], other, "--query-str", "a train", "-topk", "2", "-o", "out")
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "here" / "out").iterdir() if path.is_dir()} == {"photos", "other"}


def test_a_name_that_no_source_has_is_answered_with_the_sources(cli, old_project):
    for target in ("source-2", "result", "photo"):
        done = cli("explore", target, "--query-str", "dog", "-p", old_project)
        assert done.code == 1
        assert (
            f"the dataset '{target}' does not exist. The sources of the project {old_project} are: photos." in done.err
        )


def test_sources_and_paths_of_these_names_come_first(cli, unbuilt, tmp_path, old_project):
    copy = shutil.copytree(unbuilt / "val", tmp_path / "copy")
    assert cli("project", "add", "-p", old_project, copy, "-n", "source-1").code == 0
    assert cli("project", "add", "-p", old_project, unbuilt / "train", "-n", "project").code == 0
    shutil.copytree(unbuilt / "val", tmp_path / "here" / "source-3")
    query = ["--query-str", "a train", "-topk", "1", "-p", old_project, "--output", "json", "--no-stage"]
    for target, name in (("source-1", "source-1"), ("project", "project"), ("source-3", "source-3")):
        assert [one["name"] for one in cli("explore", target, *query).json["datasets"]] == [name]
    assert "source number" not in cli("explore", "source-3", *query).err


def test_the_whole_project_and_more_is_searched_once(cli, unbuilt, tmp_path, old_project):
    copy = shutil.copytree(unbuilt / "val", tmp_path / "copy")
    done = cli("explore", "project", copy, "photos", "--query-str", "x", "-p", old_project, "--output", "json")
    assert [one["name"] for one in done.json["datasets"]] == ["photos", "copy"]
    (tmp_path / "here" / "project").mkdir()
    assert "the path is ./project" in cli("explore", "project", "--query-str", "x", "-p", old_project).err
