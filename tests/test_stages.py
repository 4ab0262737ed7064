from __future__ import annotations

import shutil
from dataclasses import fields

import pytest

from clipdex import Explorer
from clipdex.projects.model import Stage
from clipdex.projects.reading import open_project
from clipdex.projects.stages import request_of
from clipdex_indexes import ItemFilter
from clipdex_indexes.filters import describe
from helpers_engine import make_folder, picture, renamed_model


@pytest.fixture
def project(cli, odd_copy, tmp_path, monkeypatch):
    """A project with the sources "odd" and "more", built."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.move(odd_copy, folder / "odd")
    make_folder(folder / "more", "x/a.png", "x/b.png", seed=50)
    make_folder(folder / "asked", "one.png", "two.png", seed=70)
    monkeypatch.chdir(folder)
    for command in (("create",), ("add", "odd"), ("add", "more"), ("build", "--quiet")):
        assert cli("project", *command).code == 0
    return folder


def stages(project):
    return open_project(project).stages


def test_a_query_is_recorded_with_its_parameters_and_the_paths_of_its_images(cli, project, monkeypatch):
    monkeypatch.chdir(project / "asked")
    done = cli(
        *("query", "odd", "more", "--text", "a dog", "--image", "one.png", project / "asked" / "two.png"),
        *("--item", "odd:loose", "-k", "4", "--exclude-self", "--no-prompt"),
    )
    assert f"Recorded as stage 1 of the project {project}" in done.err
    (stage,) = stages(project)
    assert stage.queries == (
        ("text", "a dog"),
        ("image", "asked/one.png"),
        ("image", "asked/two.png"),
        ("item", "odd:loose"),
    )
    assert stage.targets == ("odd", "more")
    assert stage.options == {"topk": 4, "exclude-self": True, "no-prompt": True}
    assert set(stage.outcome.sources) == {"odd", "more"}
    assert set(stage.outcome.images) == {"asked/one.png", "asked/two.png"}
    text = (project / "clipdex.toml").read_text(encoding="utf-8")
    assert 'queries = [{text = "a dog"}, {image = "asked/one.png"}, {image = "asked/two.png"}, {item = "odd:l' in text


def test_a_least_strength_is_recorded_and_asked_again(cli, project):
    assert cli("query", "odd", "--item", "loose", "-k", "3", "--min-strength", "strong").code == 0
    (stage,) = stages(project)
    assert stage.options == {"topk": 3, "min-strength": "strong"}
    assert cli("project", "run").code == 0
    file = project / "clipdex.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('"strong"', '"sure"'), encoding="utf-8")
    done = cli("project", "run")
    assert done.code == 1
    assert "min-strength is 'sure', and must be one of weak, fair, strong" in done.err


def test_an_area_is_recorded_and_asked_again(cli, project):
    with Explorer(project / "more", project / "odd") as explorer:
        area = explorer.map().area([(-2, -2), (0, -2), (0, 2), (-2, 2)])
    found = cli("query", "more", "odd", "--item", "x/a", "--area", area, "--output", "json").ids
    assert 0 < len(found) < len(cli("query", "more", "odd", "--item", "x/a", "--no-stage", "--output", "json").ids)
    (stage,) = stages(project)
    assert stage.options["area"] == (area,)
    done = cli("project", "run")
    assert (done.code, b"the same as recorded" in done.out) == (0, True)


def test_every_kind_of_filter_is_an_option_of_stages(project):
    options = {kind.name.removesuffix("s").replace("_", "-"): (kind.name,) for kind in fields(ItemFilter)}
    stage = Stage((("text", "a dog"),), options=options)
    request, _ = request_of(open_project(project), stage)
    assert describe(request.filter) == {kind.name: [kind.name] for kind in fields(ItemFilter)}


@pytest.mark.parametrize("off", [["--stage", "false"], ["--stage=False"], ["--no-stage"], ["--stage", "0"]])
def test_stage_false_records_nothing(cli, project, off):
    before = (project / "clipdex.toml").read_bytes()
    done = cli("query", "--item", "x/a", *off, "odd", "more", "-k", "1", "--output", "json")
    assert done.ids == ["x/a.png"]
    assert (project / "clipdex.toml").read_bytes() == before
    assert "stage" not in done.err


@pytest.mark.parametrize("on", [["--stage", "true"], ["--stage=1"], ["--stage"], ["--stage", "YES"], []])
def test_stage_true_is_what_happens_anyway(cli, project, on):
    assert cli("query", "--item", "x/a", *on, "-k", "1").code == 0
    assert [stage.queries for stage in stages(project)] == [(("item", "x/a"),)]


def test_what_is_no_source_of_a_project_is_not_recorded_and_that_is_said_when_asked_for(
    cli, project, photos, monkeypatch
):
    assert "Not recorded" in cli("query", photos, "--item", "food/fig", "--stage", "true").err
    assert "Not recorded" not in cli("query", photos, "--item", "food/fig").err
    monkeypatch.chdir("/")
    assert "there is no project" in cli("query", photos, "--item", "food/fig", "--stage", "true").err
    assert not stages(project)
    assert cli("query", photos, "--item", "food/fig", "--stage=perhaps").code == 2


def test_stages_are_in_order_and_the_same_query_is_one_stage(cli, project):
    for arguments in (["--item", "x/a"], ["more", "--item", "x/a"], ["--item", "x/a"], ["--item", "x/a", "-k", "2"]):
        assert cli("query", *arguments).code == 0
    assert [(stage.targets, stage.options) for stage in stages(project)] == [
        ((), {"topk": 50}),
        (("more",), {"topk": 50}),
        ((), {"topk": 2}),
    ]


def test_run_repeats_all_in_order_with_the_same_hits_also_when_everything_is_built_again(cli, project, monkeypatch):
    cli("query", "--text", "a dog", "--image", "asked/one.png", "-k", "5", "--prompt-ensemble")
    cli("query", "odd", "--item", "train/cat/a", "--query-item-subset", "train", "val", "-k", "3", "--exclude-self")
    for folder in ("odd", "more"):
        shutil.rmtree(project / folder / ".clipdex")
    monkeypatch.chdir(project / "asked")
    done = cli("project", "run")
    assert done.code == 0, done.err
    assert done.lines == [
        "1: text 'a dog', image 'asked/one.png': 5 hits, the same as recorded",
        "2: item 'train/cat/a': 3 hits, the same as recorded",
    ]
    assert cli("project", "run", "2").lines == done.lines[1:]
    assert cli("project", "run", "3").code == 1
    before = (project / "clipdex.toml").read_bytes()
    assert cli("project", "run", "--no-build").code == 0
    assert (project / "clipdex.toml").read_bytes() == before


def test_run_says_which_source_changed_and_which_hits_are_new_or_gone(cli, project):
    cli("query", "--item", "odd:loose", "-k", "8")
    cli("query", "more", "--item", "x/b", "-k", "8")
    (project / "odd" / "train" / "cat" / "a.png").unlink()
    picture(0).save(project / "odd" / "newcomer.png")
    done = cli("project", "run")
    assert done.code == 1
    assert done.lines == [
        "1: item 'odd:loose': 8 hits, not as recorded",
        "  the index of odd was written since",
        "  new: odd: newcomer.png (subset default)",
        "  gone: odd: train/cat/a.png (subset train)",
        "2: item 'x/b': 2 hits, the same as recorded",
    ]
    assert cli("project", "run", "--update").code == 0
    assert cli("project", "run").lines[0] == "1: item 'odd:loose': 8 hits, the same as recorded"
    assert len(stages(project)) == 2


def test_run_says_that_the_model_or_a_query_image_is_another_one(cli, project, tmp_path):
    cli("query", "more", "--image", "asked/one.png")
    picture(3).save(project / "asked" / "one.png")
    done = cli("project", "run")
    assert done.code == 1
    assert "  the query image asked/one.png is another one" in done.lines
    assert "  the same items, in another order or at other distances" in done.lines
    cli("build", "more", "--rebuild", "--model", renamed_model(tmp_path / "other", "other"))
    assert "  another model hashed what was searched" in cli("project", "run").lines


def test_without_the_kept_hits_it_is_still_known_whether_they_are_the_same(cli, project):
    cli("query", "more", "--item", "x/a")
    shutil.rmtree(project / ".clipdex-project")
    assert cli("project", "run").code == 0
    (project / "more" / "x" / "b.png").unlink()
    done = cli("project", "run")
    assert (done.code, done.lines[-1]) == (1, "  which hits there were is not kept")


def test_stages_of_a_person_are_run_and_named(cli, project):
    path = project / "clipdex.toml"
    written = path.read_text(encoding="utf-8") + (
        '\n[[stages]]\nname = "dogs"  # of all kinds\nqueries = [{text = "a dog"}, {text = "a puppy"}]\ntopk = 2\n'
    )
    path.write_text(written, encoding="utf-8")
    assert cli("project", "run", "dogs").lines == ["1 dogs: text 'a dog', text 'a puppy': 2 hits, not recorded before"]
    assert cli("project", "run", "--update", "1").code == 0
    assert cli("project", "run", "dogs").lines[0].endswith("2 hits, the same as recorded")
    assert path.read_text(encoding="utf-8").startswith(written)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("topk = 0", "-k is 0"),
        ('topk = "many"', "'many' is not a valid integer"),
        ("nonsense = 1", "'nonsense' means nothing in a stage"),
        ('output-dir = "/tmp/x"', "'output-dir' means nothing in a stage"),
        ('precision = "f8"', "f8"),
        ("no-prompt = true\nprompt-ensemble = true", "exclude each other"),
    ],
)
def test_what_is_wrong_in_a_stage_is_said_with_its_line(cli, project, line, message):
    path = project / "clipdex.toml"
    text = path.read_text(encoding="utf-8")
    number = len(text.splitlines()) + 1
    path.write_text(f'{text}[[stages]]\nqueries = [{{text = "a"}}]\n{line}\n', encoding="utf-8")
    done = cli("project", "run", "--no-build")
    assert (done.code, done.out) == (1, b"")
    assert f"clipdex.toml, line {number}: " in done.err
    assert message in done.err


def test_info_names_a_stage_that_cannot_be_read_as_a_query(cli, project):
    path = project / "clipdex.toml"
    text = path.read_text(encoding="utf-8")
    assert cli("project", "info").code == 0
    path.write_text(f'{text}[[stages]]\nqueries = [{{text = "a"}}]\ntopk = "many"\n', encoding="utf-8")
    done = cli("project", "info")
    assert done.code == 1
    assert f"clipdex.toml, line {len(text.splitlines()) + 1}: " in done.err
    assert "'many' is not a valid integer" in done.err


def test_a_project_that_cannot_be_written_still_answers(cli, project, monkeypatch):
    shutil.rmtree(project / ".clipdex-project")
    (project / ".clipdex-project").write_text("in the way")
    done = cli("query", "more", "--item", "x/a", "-k", "1", "--output", "json")
    assert (done.code, done.ids) == (0, ["x/a.png"])
    assert "could not be recorded" in done.err


def test_an_item_that_is_named_by_its_path_is_recorded_by_its_id(cli, project, monkeypatch):
    monkeypatch.chdir(project / "more")
    assert cli("query", "-p", project, "more", "--item", "x/a.png", "./x/b.png", "-k", "1").code == 0
    assert [stage.queries for stage in open_project(project).stages] == [
        (("item", "x/a.png"), ("item", "more:x/b.png"))
    ]
    monkeypatch.chdir(project)
    assert "the same as recorded" in cli("project", "run").lines[0]


def test_a_stage_that_cannot_be_run_does_not_stop_those_after_it(cli, project):
    file = project / "clipdex.toml"
    assert cli("query", "more", "--item", "x/a").code == 0
    first = '[[stages]]\nqueries = [{item = "not/there"}]\n\n[[stages]]'
    file.write_text(file.read_text().replace("[[stages]]", first, 1))
    done = cli("project", "run")
    assert (done.code, "clipdex: stage 1: no item of" in done.err) == (1, True)
    assert done.lines[0].endswith("the same as recorded")


def test_a_project_without_stages_has_nothing_to_run(cli, project):
    done = cli("project", "run")
    assert (done.code, done.out) == (0, b"")
    assert "no stages yet" in done.err


def test_how_a_result_is_saved_is_not_recorded(cli, project, tmp_path):
    done = cli("query", "odd", "--item", "loose", "-k", "2", "-o", tmp_path / "out", "--save-as", "ranked")
    assert done.code == 0, done.err
    (stage,) = stages(project)
    assert stage.options == {"topk": 2}
    assert cli("project", "run").code == 0


def test_the_same_question_in_other_words_is_one_stage(cli, project):
    file = project / "clipdex.toml"
    assert cli("query", "--text", "a dog", "--not-str", "snow").code == 0
    text = file.read_text()
    file.write_text(text.replace("topk = 50", 'topk = 50\nmerge = "any"\nprecision = "auto"\nrescore = false'))
    assert cli("query", "--not-text", "snow", "--text", "a dog", "--merge", "any").code == 0
    assert len(stages(project)) == 1
    assert cli("project", "run").lines[0].endswith("the same as recorded")


def test_hits_that_an_older_clipdex_stored_are_found(cli, project):
    file = project / "clipdex.toml"
    assert cli("query", "more", "--item", "x/a").code == 0
    file.write_text(file.read_text().replace("topk = 50", 'topk = 50\nmerge = "any"'))
    (stage,) = stages(project)
    assert stage.former_question != stage.question
    kept = project / ".clipdex-project" / "stages"
    (kept / f"{stage.question}.json").rename(kept / f"{stage.former_question}.json")
    picture(0).save(project / "more" / "x" / "b.png")
    (project / "more" / "x" / "a.png").rename(project / "more" / "x" / "a.jpg")
    assert "which hits there were is not kept" not in cli("project", "run").lines


@pytest.mark.parametrize(
    ("written", "queries"),
    [
        ('queries = [{text = "a dog"}]\nnot-str = "snow"', ["text", "text"]),
        ('queries = [{text = "a dog"}]\nitem = ["x/a", "x/b"]', ["text", "item", "item"]),
        ('queries = [{item = "train/cat/a"}, {query-item-subset = "train"}]', ["item"]),
    ],
)
def test_queries_that_a_person_wrote_beside_the_list_are_asked(cli, project, written, queries):
    from clipdex.projects.stages import request_of

    file = project / "clipdex.toml"
    file.write_text(f"{file.read_text()}[[stages]]\n{written}\n")
    request, _ = request_of(open_project(project), stages(project)[0])
    assert [query.kind for query in request.both] == queries
    assert cli("project", "run").code == 0
