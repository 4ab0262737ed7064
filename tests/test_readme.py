"""What README and the documentation show is what happens."""

import fnmatch
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import helpers_pages as pages
from clipdex_cli.main import run
from helpers_web import TOKEN

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMAT = (ROOT / "docs" / "reference" / "index-format.md").read_text(encoding="utf-8")
IGNORED = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
SHOWN = {str(page.relative_to(ROOT)): page for page in pages.pages() if pages.steps(page.read_text(encoding="utf-8"))}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with the examples, like a clone after nothing was run."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns(".*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def built_clone(clone, photos):
    """The same after the example photos were built."""
    shutil.copytree(photos / ".clipdex", clone / "examples" / "photos" / ".clipdex")
    return clone


@pytest.mark.parametrize("name", SHOWN)
def test_pages_show_what_the_commands_print(name, request, capfd, monkeypatch):
    text = SHOWN[name].read_text(encoding="utf-8")
    if any("coco" in command for command, _ in pages.steps(text)):
        pytest.importorskip("datumaro")
    if any(command.startswith("clipdex map") for command, _ in pages.steps(text)):
        pytest.importorskip("openTSNE")
    builds = "clipdex build examples/photos" in (command for command, _ in pages.steps(text))
    clone = request.getfixturevalue("clone" if builds else "built_clone")
    for command, shown in pages.steps(text):
        out, err = pages.perform(command, capfd, monkeypatch)
        # A terminal shows both; commands print what they say about an answer before or after it.
        wrong = pages.differences(out + err, shown, clone)
        assert not wrong or not pages.differences(err + out, shown, clone), f"{command}: {wrong}"
    # "state" is that of the fixture; the user's own is outside of the clone.
    left = {entry.name for entry in clone.iterdir()} - {"examples", "state"}
    assert [name for name in left if not any(fnmatch.fnmatch(name, pattern) for pattern in IGNORED)] == []


def test_a_slow_machine_prints_what_the_pages_show(clone, capfd, monkeypatch):
    monkeypatch.setattr("clipdex_cli.progress._SECONDS_BETWEEN_LINES", 0.0)
    out, err = pages.perform("clipdex build examples/photos/plants", capfd, monkeypatch)
    assert (len(out), len(err)) == (0, 1), err


def test_the_tour_has_all_that_a_newcomer_needs():
    commands = [command for command, _ in pages.steps(README)]
    assert len(commands) >= 5
    assert {command.split()[1] for command in commands} >= {"build", "query", "save"}
    assert "make demo" in README
    assert "make test" in README


def test_python_example_of_readme_runs(built_clone, capsys):
    (example,) = pages.blocks(README, "python")
    exec(compile(example, "README.md", "exec"), {})
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == [
        "animals/german-shepherd.jpg",
        "animals/dogs-at-the-window.jpg",
    ]


def test_python_example_of_the_api_prints_what_is_shown(site, clone, capsys):
    text = (ROOT / "docs" / "how-to" / "view.md").read_text(encoding="utf-8")
    (example,) = pages.blocks(text, "python")
    Path("token").write_text(f"{TOKEN}\n", encoding="utf-8")
    assert '"http://localhost:8000/api/v1/"' in example
    exec(compile(example.replace("http://localhost:8000/api/v1/", site.api), "view.md", "exec"), {})
    assert capsys.readouterr().out in pages.blocks(text, "text")


def test_python_example_of_the_guide_prints_what_is_shown(built_clone, capsys):
    text = (ROOT / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
    (example,) = pages.blocks(text, "python")
    exec(compile(example, "python.md", "exec"), {})
    assert not pages.differences(
        capsys.readouterr().out.splitlines(), pages.blocks(text, "text")[0].splitlines(), built_clone
    )


def test_python_example_of_notebooks_prints_what_is_shown(built_clone, capsys):
    pytest.importorskip("pandas")
    text = (ROOT / "docs" / "how-to" / "notebooks.md").read_text(encoding="utf-8")
    (example,) = pages.blocks(text, "python")
    exec(compile(example, "notebooks.md", "exec"), {})
    shown = pages.blocks(text, "text")[1].splitlines()
    assert not pages.differences(capsys.readouterr().out.splitlines(), shown, built_clone)


def test_python_example_of_projects_prints_what_is_shown(built_clone, capfd, monkeypatch):
    pytest.importorskip("datumaro")
    text = (ROOT / "docs" / "how-to" / "projects.md").read_text(encoding="utf-8")
    for command, _ in pages.steps(text):
        pages.perform(command, capfd, monkeypatch)
    monkeypatch.chdir(built_clone)
    (example,) = pages.blocks(text, "python")
    exec(compile(example, "projects.md", "exec"), {})
    (shown,) = pages.blocks(text, "text")
    assert not pages.differences(capfd.readouterr().out.splitlines(), shown.splitlines(), built_clone)


def test_hash_keys_are_read_from_python_as_documented(built_clone, capsys):
    (example,) = pages.blocks((ROOT / "docs" / "how-to" / "hash-keys.md").read_text(encoding="utf-8"), "python")
    exec(compile(example, "hash-keys.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 40
    assert all(re.fullmatch(r"default \S+ [0-9a-f]{128}", line) for line in lines)


def test_index_can_be_read_without_clipdex_as_documented(built_clone, capsys):
    (reader,) = pages.blocks(FORMAT, "python")
    capsys.readouterr()
    exec(compile(reader, "index-format.md", "exec"), {})
    found = [line.split(" ", 1) for line in capsys.readouterr().out.splitlines()]
    assert run(["query", "examples/photos", "--item", "plants/dahlia.jpg", "-k", "5", "--output", "csv"]) == 0
    ours = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
    assert found == [[row[1], row[5]] for row in ours]


def test_the_documented_reader_sees_what_clipdex_sees_of_an_index_that_was_changed(built_clone, capsys):
    from clipdex_indexes import Index

    gone = ["animals/koala.jpg", "food/fig.jpg", "things/chair.jpg"]
    with Index.open("examples/photos/.clipdex") as index:
        index.remove(gone)
        index.add(["animals/koala.jpg"], np.zeros(64, np.uint8), subset="other")
        expected = [(row.id, row.subset, index.key(at).tobytes()) for at, row in index.items()]
        assert len(index.segments) == 2
    (reader,) = pages.blocks(FORMAT, "python")
    names = {}
    exec(compile(reader, "index-format.md", "exec"), names)
    ids, subsets, keys = names["read_index"]("examples/photos/.clipdex")
    found = sorted(zip(ids, subsets, (key.tobytes() for key in keys), strict=True))
    assert found == expected
    assert len(found) == 38


def test_the_index_is_used_from_python_as_documented(clone, capsys):
    text = (ROOT / "docs" / "how-to" / "own-keys.md").read_text(encoding="utf-8")
    (example,) = pages.blocks(text, "python")
    exec(compile(example, "own-keys.md", "exec"), {})
    assert capsys.readouterr().out == pages.blocks(text, "text")[0]


def test_links_in_the_documentation_lead_somewhere():
    for page in pages.pages():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
