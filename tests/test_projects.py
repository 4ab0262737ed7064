from __future__ import annotations

import contextlib
import io
import shutil
import threading

import pytest

from clipdex.errors import ProjectError, ProjectFileInvalid, ProjectNotFound
from clipdex.projects.adding import add_dataset
from clipdex.projects.editing import add_source, create_project, record_stage
from clipdex.projects.model import Outcome, ProjectSource, Stage
from clipdex.projects.reading import open_project, parse_project
from clipdex.readers import formats
from helpers_engine import REPOSITORY, make_folder, renamed_model
from helpers_pages import blocks


@pytest.fixture
def project(cli, odd_copy, tmp_path, monkeypatch):
    """A project with two sources that are built: "odd" inside of it, and "more" beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.move(odd_copy, folder / "odd")
    make_folder(tmp_path / "more", "x/a.png", "x/b.png", seed=50)
    monkeypatch.chdir(folder)
    assert cli("project", "create").code == 0
    assert cli("project", "add", "odd").code == 0
    assert cli("project", "import", "-f", "folder", tmp_path / "more").code == 0
    assert cli("project", "build", "--quiet").code == 0
    return folder


def test_its_file_is_readable_and_its_paths_are_relative_to_it(project):
    text = (project / "clipdex.toml").read_text(encoding="utf-8")
    assert '[sources.odd]\npath = "odd"' in text
    assert '[sources.more]\npath = "../more"\nformat = "folder"' in text
    read = open_project(project)
    assert [(one.name, read.location(one)) for one in read.sources] == [
        ("odd", project / "odd"),
        ("more", project.parent / "more"),
    ]


def test_without_a_target_all_sources_are_searched_as_one_and_hits_say_theirs(cli, project):
    done = cli("query", "--item", "odd:loose", "-k", "100", "--output", "json", "--no-stage")
    assert [one["name"] for one in done.json["datasets"]] == ["odd", "more"]
    assert len(done.ids) == 8
    assert {(hit["dataset"], hit["id"]) for hit in done.json["hits"]} >= {("odd", "loose.png"), ("more", "x/a.png")}


@pytest.mark.parametrize("words", [("build",), ("project", "build"), ("build", "odd", "more"), ("build", "project")])
def test_a_missing_source_does_not_stop_the_build_of_the_others(cli, project, words):
    make_folder(project.parent / "more", "x/new.png", seed=90)
    (project / "odd").rename(project / "away")
    dry = cli(*words, "--dry-run")
    assert (dry.code, "added: x/new.png" in dry.out.decode()) == (1, True)
    done = cli(*words)
    assert done.code == 1
    assert "more: 1 added, 2 unchanged" in done.err
    *_, last = done.err.splitlines()
    assert f"the source 'odd' of the project {project} is not there" in last
    shutil.rmtree(project.parent / "more")
    done = cli(*words)
    assert (done.code, done.err.count("is not there")) == (1, 2)


def test_names_of_sources_are_targets_from_any_folder_of_the_project_and_by_naming_it(cli, project, monkeypatch):
    below = project / "notes" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert [one["name"] for one in cli("query", "more", "--item", "x/a", "--output", "json").json["datasets"]] == [
        "more"
    ]
    assert [one["items"] for one in cli("info", "--json").json] == [6, 2]
    assert cli("build", "more").err.count("2 unchanged") == 1
    monkeypatch.chdir("/")
    for option in ("-p", "--project"):
        done = cli("query", option, project, "more", "--item", "x/a", "--output", "json")
        assert done.ids == ["x/a.png", "x/b.png"]
    assert "name a TARGET" in cli("build").err


def test_a_source_goes_before_a_path_of_its_name_and_a_path_still_works(cli, project):
    make_folder(project / "more", "other.png")
    assert cli("build", "./more", "--quiet").code == 0
    done = cli("query", "more", "--item", "x/a", "--output", "json")
    assert done.json["datasets"][0]["root"] == str(project.parent / "more")
    assert "more is the source of that name in the project; the path is ./more" in done.err
    done = cli("query", "./more", "--item", "other", "--output", "json")
    assert done.json["datasets"][0]["root"] == str(project / "more")


def test_comments_order_and_spaces_of_a_person_survive(cli, project):
    path = project / "clipdex.toml"
    written = (
        "# mine\nversion = 1\nmodel   = 'starter'  # the small one\n\n"
        "[sources]\n  [sources.odd]  # odd ones\n  path = 'odd'\n"
    )
    path.write_text(written, encoding="utf-8")
    assert cli("project", "add", "../more").code == 0
    text = path.read_text(encoding="utf-8")
    assert text.startswith(written.rstrip("\n"))
    assert [one.name for one in open_project(project).sources] == ["odd", "more"]
    assert cli("project", "remove", "more").code == 0
    assert path.read_text(encoding="utf-8").rstrip() == written.rstrip()


def test_the_same_dataset_twice_and_a_taken_name_are_refused(cli, project):
    (project / "link").symlink_to(project / "odd")
    for again in ("odd", project / "odd", "./odd/"):
        assert "is in the project already: it is the source 'odd'" in cli("project", "add", again).err
    assert "is in the project already: it is the source 'odd'" in cli("project", "add", "link").err
    make_folder(project / "third", "a.png")
    done = cli("project", "add", "third", "--name", "odd")
    assert done.code == 1
    assert f"there is a source 'odd' already: {project / 'odd'}" in done.err
    assert [one.name for one in open_project(project).sources] == ["odd", "more"]


def test_another_dataset_of_the_same_folder_name_gets_a_name_of_its_own(cli, project):
    make_folder(project / "third" / "odd", "a.png")
    assert cli("project", "add", "third/odd").code == 0
    assert [one.name for one in open_project(project).sources] == ["odd", "more", "odd-2"]


def test_a_source_that_is_gone_is_said_and_one_that_was_moved_is_found_again(cli, project):
    shutil.move(project / "odd", project / "moved")
    for command in (("query", "--item", "loose"), ("build",), ("query", "odd", "--item", "loose")):
        done = cli(*command)
        assert done.code == 1
        assert f"the source 'odd' of the project {project} is not there: {project / 'odd'} does not exist" in done.err
    assert "missing" in cli("project", "info").out.decode()
    assert cli("query", "more", "--item", "x/a").code == 0
    assert "Moved the source odd: odd is now moved" in cli("project", "add", "moved", "--name", "odd").err
    assert cli("query", "odd", "--item", "loose", "-k", "1", "--output", "json").ids == ["loose.png"]


def test_info_shows_freshness_model_and_stages(cli, project):
    make_folder(project / "odd", "new.png", seed=99)
    make_folder(project / "third", "a.png")
    cli("project", "add", "third")
    cli("query", "more", "--text", "a dog", "-k", "3")
    done = cli("project", "info", "--json").json
    states = {one["name"]: (one["items"], one["fresh"], one["state"]) for one in done["sources"]}
    assert states["odd"][:2] == (6, False) and "1 new since the last build" in states["odd"][2]
    assert states["more"][:2] == (2, True) and "up to date" in states["more"][2]
    assert states["third"][:2] == (0, False) and "not indexed yet" in states["third"][2]
    assert done["model"] == "starter, bundled"
    assert done["stages"] == [
        {"number": 1, "name": "", "queries": [{"text": "a dog"}], "targets": ["more"], "options": {"topk": 3}}
    ]
    assert "text 'a dog' in more, topk 3" in cli("project", "info").out.decode()


def test_a_source_that_stages_search_is_not_removed(cli, project):
    cli("query", "more", "--item", "x/a")
    assert "stage 1 needs the source 'more'" in cli("project", "remove", "more").err
    assert cli("project", "remove", "odd").code == 0
    assert (project / "odd" / ".clipdex").is_dir()


def test_a_source_that_stages_ask_for_an_item_of_is_not_removed(cli, project):
    assert cli("query", "--item", "more:x/a", "-k", "1").code == 0
    done = cli("project", "remove", "more")
    assert (done.code, "stage 1 needs the source 'more'" in done.err) == (1, True)
    assert cli("project", "remove", "odd").code == 0


def test_the_model_is_that_of_the_option_the_index_the_variable_or_the_project(cli, project, tmp_path, monkeypatch):
    models = {name: renamed_model(tmp_path / name, name) for name in ("asked", "variable", "projects")}
    path = project / "clipdex.toml"
    path.write_text(f"model = '../projects'\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    make_folder(project / "third", "a.png")
    cli("project", "add", "third")

    def built(*arguments):
        shutil.rmtree(project / "third" / ".clipdex", ignore_errors=True)
        return cli("build", "third", *arguments).err

    assert "model projects, that of the project" in built()
    monkeypatch.setenv("CLIPDEX_MODEL", str(models["variable"]))
    assert "model variable, named by $CLIPDEX_MODEL" in built()
    assert "model asked, as asked for" in built("--model", models["asked"])
    assert "model asked, that of the index" in cli("build", "third").err


def test_sources_of_different_models_are_not_searched_as_one(cli, project, tmp_path):
    model = renamed_model(tmp_path / "other", "other")
    assert cli("build", "more", "--rebuild", "--model", model).code == 0
    done = cli("query", "--item", "odd:loose")
    assert done.code == 1
    assert "their hash keys cannot be compared" in done.err


def test_a_project_that_was_moved_as_a_whole_works(cli, project, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    new = tmp_path / "elsewhere"
    new.mkdir()
    shutil.move(project, new / "project")
    shutil.move(tmp_path / "more", new / "more")
    done = cli("query", "-p", new / "project", "--item", "loose", "--output", "json", "-k", "8")
    assert {one["root"] for one in done.json["datasets"]} == {str(new / "project" / "odd"), str(new / "more")}
    assert not any(hit.get("missing") for hit in done.json["hits"])


def test_what_is_no_project_is_said(cli, tmp_path, odd):
    assert "is no project" in cli("query", "-p", tmp_path, "--text", "dog").err
    assert "is a project" in cli("project", "info").err
    assert cli("project", "create", tmp_path / "new").code == 0
    assert "is a project already" in cli("project", "create", tmp_path / "new").err
    done = cli("query", "-p", tmp_path / "new", "--text", "dog")
    assert (done.code, "has no sources yet" in done.err) == (1, True)
    assert "does not exist" in cli("project", "add", "-p", tmp_path / "new", tmp_path / "nothing").err
    assert "no format 'nonsense'" in cli("project", "add", "-p", tmp_path / "new", odd, "-f", "nonsense").err
    with pytest.raises(ProjectNotFound):
        open_project(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 1\nmodel = 5\n", "line 2: model is 5; expected a text"),
        ("version = 9\n", "line 1: version is 9; this clipdex reads 1"),
        ("\nmodle = 'x'\n", "line 2: 'modle' means nothing here; expected version, model"),
        ("[sources.a]\nformat = 'coco'\n", "line 1: [sources.a] has no path"),
        ("[sources.a]\npath = 'a'\n\n[sources.b]\npath = 7\n", "line 5: path is 7; expected a text"),
        ("[sources.a]\npath = 'a'\nfromat = 'x'\n", "line 3: 'fromat' means nothing here"),
        ("[sources.a]\npath = 'a'\noptions = {split = 3}\n", "line 3: the option 'split' is 3"),
        ("sources.a.path = 'a'\nsources.b = 3\n", "line 2: [sources.b] is 3; expected a table"),
        ("[sources]\n'a/b' = {path = 'x'}\n", "line 2: the source 'a/b' begins with a dot or a dash, or has a slash"),
        ("[[stages]]\nqueries = [{text = 'a'}]\n[[stages]]\ntopk = 1\n", "line 3: stage 2 has no queries"),
        ("[[stages]]\nqueries = [\n {text = 'a'},\n {text = 5},\n]\n", "line 2: a query is {'text': 5}"),
        ("[[stages]]\nqueries = [{text = 'a'}]\ntargets = ['b']\n", "line 3: there is no source 'b'"),
        ("[[stages]]\nqueries = [{text = 'a'}]\ntopk = {a = 1}\n", "line 3: topk is {'a': 1}"),
        ("[[stages]]\nqueries = [{text = 'a'}]\n[stages.result]\nhits = 1\n", "line 4: hits is 1; expected a text"),
        ("plugins = '../elsewhere'\n", "line 1: plugins is '../elsewhere'; expected a folder in the project"),
        ("version = 1\n[sources\n", "line 2"),
        ("model = 'a'\nmodel = 'b'\n", "line 2"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(ProjectFileInvalid) as raised:
        parse_project(tmp_path, text)
    assert message in str(raised.value)
    assert str(tmp_path / "clipdex.toml") in str(raised.value)


def test_a_file_that_cannot_be_read_is_no_traceback(cli, tmp_path, monkeypatch):
    folder = tmp_path / "bad"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for data in (b"\xff\xfe", b"[" * 100_000, b"a = " + b"[" * 50_000, b"\0"):
        (folder / "clipdex.toml").write_bytes(data)
        done = cli("query", "--text", "dog")
        assert (done.code, done.out) == (1, b"")
        assert "clipdex.toml" in done.err


def test_two_that_write_at_once_lose_nothing(tmp_path):
    project = create_project(tmp_path / "p")
    outcome = Outcome("m", "h", {"a": "1"})

    def write(number):
        add_source(project, ProjectSource(f"s{number}", f"data/{number}"))
        record_stage(project, Stage((("text", f"query {number}"),), outcome=outcome))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    read = open_project(tmp_path / "p")
    assert {one.name for one in read.sources} == {f"s{number}" for number in range(8)}
    assert {one.queries[0][1] for one in read.stages} == {f"query {number}" for number in range(8)}


def test_trusted_plugins_are_loaded_in_the_project_and_where_it_is_named(cli, project, monkeypatch, request):
    request.addfinalizer(formats.reload)
    loaded = f"Loaded the plugins in {project / 'plugins'}, of the project {project}.\n"
    assert "he plugins in" not in cli("query", "more", "--item", "x/a").err
    (project / "plugins").mkdir()
    (project / "plugins" / "broken.py").write_text("1 / 0\n")
    assert cli("project", "trust").code == 0
    done = cli("query", "more", "--item", "x/a")
    assert f"{loaded}the plugin {project / 'plugins' / 'broken.py'} was left out: ZeroDivisionError" in done.err
    monkeypatch.chdir(project.parent)
    done = cli("query", "-p", project, "more", "--item", "x/a")
    assert (done.code, loaded in done.err) == (0, True)
    done = cli("query", project.parent / "more", "--item", "x/a")
    assert (done.code, loaded in done.err) == (0, False)


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "a:b", "a\\b", "a\nb", " a"])
def test_names_that_would_be_mistaken_for_something_else_are_refused(tmp_path, name):
    project = create_project(tmp_path / "p")
    with pytest.raises(ProjectError, match="--name"):
        add_source(project, ProjectSource(name, "data"))


def test_awkward_names_and_options_survive_the_file(tmp_path):
    project = create_project(tmp_path / "p", model='odd "name" é')
    make_folder(tmp_path / "p" / 'my "own" photos é', "a.png")
    add_dataset(project, tmp_path / "p" / 'my "own" photos é', options={"split": 'a "b"\n'}, format="folder")
    (source,) = open_project(tmp_path / "p").sources
    assert (source.name, source.path, source.options) == ('my "own" photos é',) * 2 + ({"split": 'a "b"\n'},)
    assert open_project(tmp_path / "p").model == 'odd "name" é'


def block(page, language):
    (only,) = blocks((REPOSITORY / "docs" / page).read_text(encoding="utf-8"), language)
    return only


def test_the_documented_file_can_be_read(tmp_path):
    read = parse_project(tmp_path, block("reference/project-file.md", "toml"))
    assert [(one.name, one.format, one.options) for one in read.sources] == [
        ("photos", "auto", {}),
        ("coco", "coco", {"split": "train"}),
    ]
    assert read.stages[0].queries[2] == ("item", "photos:animals/cat.jpg")
    assert read.stages[0].options == {"topk": 10, "exclude-self": True}


def test_the_documented_python_runs(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project.rename("found-animals")
    example = block("how-to/projects.md", "python")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(example, "projects.md", "exec"), {})
    lines = printed.getvalue().splitlines()  # an id of "odd" has a new line in it
    hits = [line.split()[0] for line in lines if line.startswith(("odd ", "more "))]
    assert (len(hits), lines[-1]) == (3, "8")
