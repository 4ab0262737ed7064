"""Projects and merging over datasets of several formats, and formats of a project's own."""

from __future__ import annotations

import shutil
import zipfile

import pytest

from clipdex import Explorer, ImageQuery, build
from clipdex.building.joining import join
from clipdex.projects.reading import open_project
from clipdex.readers import formats
from helpers_engine import make_folder

PLUGIN = '''
from clipdex.readers import Reader, ReadItem


class Pairs(Reader):
    """Images named in pairs.txt, with their labels."""

    format = "pairs"
    in_order = False

    @classmethod
    def detect(cls, location):
        return "it has pairs.txt" if (location / "pairs.txt").is_file() else None

    def read(self):
        for line in (self.location / "pairs.txt").read_text().splitlines():
            name, label = line.split()
            status = (self.location / name).stat()
            yield ReadItem(name, "default", (label,), status.st_size, status.st_mtime_ns)
'''


@pytest.fixture(autouse=True)
def _no_plugins_left():
    yield
    formats.reload()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The same twelve images as one folder, and in parts: a folder, a ZIP archive and a table."""
    root = tmp_path_factory.mktemp("mixed")
    whole = make_folder(root / "all", *(f"{part}/{n}.png" for part in ("plain", "zipped", "listed") for n in range(4)))
    shutil.copytree(whole / "plain", root / "plain")
    shutil.copytree(whole / "listed", root / "images")
    with zipfile.ZipFile(root / "zipped.zip", "w") as archive:
        for path in sorted((whole / "zipped").iterdir()):
            archive.write(path, path.name)
    (root / "listed.csv").write_text(
        "path,id,subset,label\n" + "".join(f"images/{n}.png,{n}.png,train,thing\n" for n in range(4)), encoding="utf-8"
    )
    for target in ("all", "plain", "zipped.zip", "listed.csv"):
        build(root / target)
    return root


def found(result, named):
    return [(hit.distance, named(hit)) for hit in result]


@pytest.mark.parametrize("k", [1, 5, 50])
def test_datasets_of_several_formats_are_searched_as_one(mixed, k, tmp_path):
    query = ImageQuery(mixed / "all" / "zipped" / "1.png")
    parts = [f"{mixed / 'plain'}:folder", mixed / "zipped.zip", mixed / "listed.csv"]
    join(parts, tmp_path / "both")
    names = {"plain": "plain", "zipped.zip": "zipped", "listed.csv": "listed"}
    with Explorer(mixed / "all") as one, Explorer(*parts) as several, Explorer(tmp_path / "both") as merged:
        wanted = sorted(found(one.explore_topk(query, 50), lambda hit: hit.id))
        together = found(several.explore_topk(query, k), lambda hit: f"{names[hit.dataset]}/{hit.id}")
        joined = found(
            merged.explore_topk(query, k), lambda hit: f"{names[hit.id.partition('/')[0]]}/{hit.id.partition('/')[2]}"
        )
        assert not any(hit.missing for hit in merged.explore_topk(query, 50))
    assert wanted[4][0] < wanted[5][0]  # no tie is cut
    assert sorted(together) == sorted(joined) == wanted[:k]


def test_a_merged_index_of_several_formats_is_brought_up_to_date_and_saved_from(cli, mixed, tmp_path):
    join([mixed / "zipped.zip", mixed / "listed.csv"], tmp_path / "both")
    assert "8 unchanged" in cli("build", tmp_path / "both").err
    done = cli("query", tmp_path / "both", "--item", "zipped.zip/1.png", "-k", "1", "-s", "-o", "saved")
    assert done.code == 0, done.err
    copied = tmp_path / "here" / "saved" / "both" / "default" / "zipped.zip" / "1.png"
    assert copied.read_bytes() == (mixed / "all" / "zipped" / "1.png").read_bytes()


def test_an_index_away_from_its_archive_shows_its_images_as_missing(cli, mixed, tmp_path):
    shutil.copytree(mixed / "zipped.zip.clipdex", tmp_path / "away")
    done = cli("query", "--index", tmp_path / "away", "--item", "1.png", "-k", "4", "--output", "json")
    assert [hit["missing"] for hit in done.json["hits"]] == [True] * 4
    described = cli("info", "--index", tmp_path / "away")
    assert described.code == 0, described.err
    assert "items      4" in described.lines
    assert described.lines[-1].endswith("the index does not say where its images are, and is not beside them.")


def test_a_project_of_several_formats_reproduces_its_stages(cli, mixed, tmp_path, monkeypatch):
    project = tmp_path / "project"
    assert cli("project", "create", project).code == 0
    monkeypatch.chdir(project)
    for name, path in (("a", "plain"), ("b", "zipped.zip"), ("c", "listed.csv")):
        assert cli("project", "add", mixed / path, "-n", name).code == 0
    done = cli("explore", "--query-item-id", "b:1.png", "--query-item-id", "c:2.png", "-k", "12", "--output", "json")
    assert done.code == 0, done.err
    assert {hit["dataset"] for hit in done.json["hits"]} == {"a", "b", "c"}
    assert {hit["subset"] for hit in done.json["hits"] if hit["dataset"] == "c"} == {"train"}
    assert cli("project", "run").lines == ["1: item 'b:1.png', item 'c:2.png': 12 hits, the same as recorded"]


def test_options_of_a_format_are_kept_in_the_project(cli, mixed, tmp_path, monkeypatch):
    (mixed / "odd.csv").write_text("where,kind\nimages/0.png,x\nimages/1.png,y\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    cli("project", "create")
    done = cli("project", "add", mixed / "odd.csv", "-f", "csv", "--option", "path=where", "--option", "label=kind")
    assert done.code == 0, done.err
    assert cli("build").code == 0
    assert cli("info", "--json").json[0]["labels"] == {"x": 1, "y": 1}


def test_a_format_of_the_project_is_used_in_the_project_only(cli, tmp_path, monkeypatch):
    project = tmp_path / "project"
    make_folder(project / "data", "a.png", "b.png")
    (project / "data" / "pairs.txt").write_text("b.png cat\na.png dog\n")
    (project / "plugins").mkdir()
    (project / "plugins" / "pairs.py").write_text(PLUGIN)
    (project / "plugins" / "broken.py").write_text("1 / 0\n")
    assert "no format 'pairs'" in cli("build", f"{project / 'data'}:pairs").err
    assert cli("project", "create", project).code == 0
    monkeypatch.chdir(project)
    assert cli("project", "trust").code == 0
    done = cli("project", "add", "data", "-f", "pairs")
    assert done.code == 0, done.err
    assert f"Loaded the plugins in {project / 'plugins'}" in done.err
    assert "broken.py" in done.err and "ZeroDivisionError" in done.err
    listed = cli("formats", "--json")
    assert [one["from"] for one in listed.json if one["name"] == "pairs"] == [f"plugins in {project / 'plugins'}"]
    assert listed.err.count("broken.py") == 1
    done = cli("explore", "--item", "a", "--output", "json")
    assert [(hit["id"], hit["labels"]) for hit in done.json["hits"]] == [("a.png", ["dog"]), ("b.png", ["cat"])]
    assert cli("project", "run").code == 0


def test_negative_queries_and_merging_are_parts_of_a_stage(cli, mixed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli("project", "create")
    cli("project", "add", mixed / "plain")
    shutil.copy(mixed / "all" / "listed" / "1.png", tmp_path / "not.png")
    done = cli(
        *("explore", "--text", "a cat", "--item", "1", "--not-img-path", "not.png", "--not-item-id", "2"),
        *("--merge", "all", "--rescore", "-k", "3", "--output", "json"),
    )
    assert done.code == 0, done.err
    (stage,) = open_project(tmp_path).stages
    assert stage.queries == (("text", "a cat"), ("item", "1"), ("not-img-path", "not.png"), ("not-item-id", "2"))
    assert stage.options == {"merge": "all", "rescore": True, "topk": 3}
    assert set(stage.outcome.images) == {"not.png"}
    monkeypatch.chdir(mixed)
    assert cli("project", "run", "-p", tmp_path).code == 0


@pytest.mark.parametrize("command", ["add", "import"])
def test_a_format_that_is_not_that_of_the_index_is_refused_when_it_is_added(cli, mixed, tmp_path, command):
    project = tmp_path / "project"
    cli("project", "create", project)
    for arguments, said in (
        ([mixed / "plain", "-f", "zip"], "was made of it in format folder, and not zip"),
        ([f"{mixed / 'listed.csv'}:list"], "was made of it in format csv, and not list"),
        ([mixed / "listed.csv", "--option", "label=id"], "with no options, and not with --option label=id"),
    ):
        done = cli("project", command, "-p", project, *arguments)
        assert (done.code, said in done.err) == (1, True), done.err
    assert open_project(project).sources == ()
    for arguments in ([mixed / "plain", "-f", "folder"], [f"{mixed / 'listed.csv'}:csv"], [mixed / "zipped.zip"]):
        assert cli("project", command, "-p", project, *arguments).code == 0
    assert cli("query", "-p", project, "--item", "plain:0", "-k", "1").code == 0


def test_a_dataset_without_an_index_or_with_a_damaged_one_is_added(cli, mixed, tmp_path):
    project = tmp_path / "project"
    cli("project", "create", project)
    shutil.copytree(mixed / "plain", tmp_path / "new", ignore=shutil.ignore_patterns(".clipdex"))
    shutil.copytree(mixed / "plain", tmp_path / "damaged")
    (tmp_path / "damaged" / ".clipdex" / "manifest.json").write_bytes(b"{")
    for name in ("new", "damaged"):
        assert cli("project", "add", "-p", project, tmp_path / name, "-f", "folder").code == 0
