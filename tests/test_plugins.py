"""Formats of others: the documented example, packages, folders, and those that are broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clipdex import testing
from clipdex.errors import DatasetError
from clipdex.readers import FolderReader, ReadItem, formats
from helpers_engine import REPOSITORY, make_folder, run_process
from helpers_pages import blocks

PAGE = (REPOSITORY / "docs" / "how-to" / "plugins.md").read_text(encoding="utf-8")
EXAMPLE, CHECK = blocks(PAGE, "python")
(ENTRY_POINT,) = blocks(PAGE, "toml")


@pytest.fixture(autouse=True)
def _no_formats_of_others_left_over():
    yield
    formats.reload()


@pytest.fixture
def traps(tmp_path):
    root = make_folder(tmp_path / "traps", "a.jpg", "b.jpg", "c.jpg")
    (root / "captions.trap").write_text("a.jpg|night|badger\nb.jpg|day|none\nc.jpg|day|fox\ngone.jpg|day|fox\n")
    return root


@pytest.fixture
def plugin_folder(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "trap_format.py").write_text(EXAMPLE, encoding="utf-8")
    return folder


def package(root: Path, name: str, entry_points: str, **modules: str) -> Path:
    """An installed package, as pip leaves it."""
    root.mkdir(exist_ok=True)
    for module, text in modules.items():
        (root / f"{module}.py").write_text(text, encoding="utf-8")
    info = root / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[clipdex.formats]\n{entry_points}\n")
    return root


def test_documented_test_of_the_example_passes(plugin_folder, traps, monkeypatch):
    monkeypatch.chdir(traps.parent)
    monkeypatch.syspath_prepend(str(plugin_folder))
    exec(CHECK, {})
    del sys.modules["trap_format"]


def test_format_of_a_package_is_listed_recognised_and_built(traps, tmp_path):
    line = ENTRY_POINT.splitlines()[1].replace('"', "")
    site = package(tmp_path / "site", "traps", line, trap_format=EXAMPLE)
    env = {"PYTHONPATH": ":".join([str(site), *filter(None, sys.path)])}
    listed = {one["name"]: one for one in run_process("formats", "--json", env=env).json}
    assert listed["trap"]["from"] == "package traps"
    assert "unknown" in listed["trap"]["options"]
    done = run_process("build", traps, "--option", "unknown=fox", env=env)
    assert done.code == 0
    assert "is read as trap: it has captions.trap; --format folder" in done.err
    assert "3 added, 0 unchanged, 1 failed (1 missing)" in done.err
    done = run_process("query", traps, "--item", "a", "--output", "json", env=env)
    assert {hit["id"]: (hit["subset"], hit["labels"]) for hit in done.json["hits"]} == {
        "a.jpg": ("night", ["badger"]),
        "b.jpg": ("day", ["none"]),
        "c.jpg": ("day", []),
    }
    # Without the package the index still answers, and a build says what is missing.
    assert run_process("query", traps, "--item", "a", "--output", "json").code == 0
    done = run_process("build", traps)
    assert done.code == 1
    assert "no format 'trap'" in done.err


def test_broken_packages_are_named_and_stop_nothing(tmp_path, monkeypatch, cli):
    lines = (
        "bad = bad_module:Reader\nfolder = trap_format:TrapReader\nodd = trap_format:TrapReader\nnone = trap_format:x"
    )
    site = package(tmp_path / "site", "broken", lines, bad_module="raise RuntimeError('no luck')", trap_format=EXAMPLE)
    monkeypatch.syspath_prepend(str(site))
    formats.reload()
    said = "\n".join(formats.problems())
    assert "the format bad of the package broken cannot be used: RuntimeError: no luck" in said
    assert "the format folder of the package broken was left out: clipdex has one of that name" in said
    assert "is of the format 'trap', and not 'odd'" in said
    assert "the format none of the package broken cannot be used: AttributeError" in said
    assert formats.reader_class("folder") is FolderReader
    root = make_folder(tmp_path / "data", "a.png")
    done = cli("build", root)
    assert done.code == 0
    assert "no luck" in done.err
    assert "no luck" in cli("formats").err
    assert "no luck" in cli("build", root, "--format", "bad", "--rebuild").err
    sys.modules.pop("trap_format", None)


def test_folder_of_plugins_gives_formats_and_names_what_is_broken(plugin_folder, traps, cli):
    (plugin_folder / "broken.py").write_text("import nothing_of_this_name")
    (plugin_folder / "leaves.py").write_text("raise SystemExit(3)")
    (plugin_folder / "_private.py").write_text("raise RuntimeError('must not be run')")
    (plugin_folder / "notes.txt").write_text("no module")
    (plugin_folder / "taken.py").write_text(EXAMPLE.replace('format = "trap"', 'format = "zip"'))
    (plugin_folder / "odd.py").write_text(EXAMPLE.replace('format = "trap"', 'format = "Odd Name"'))
    (plugin_folder / "pack").mkdir()
    (plugin_folder / "pack" / "__init__.py").write_text("from .inner import TrapReader\n")
    (plugin_folder / "pack" / "inner.py").write_text(EXAMPLE.replace('format = "trap"', 'format = "trap_two"'))
    problems = formats.use_folder(plugin_folder)
    said = "\n".join(problems)
    assert "broken.py was left out: ModuleNotFoundError" in said
    assert "leaves.py was left out: SystemExit: 3" in said
    assert "the format zip of" in said
    assert "'Odd Name'" in said
    assert len(problems) == 4
    assert formats.reader_class("trap").about.startswith("camera traps")
    assert {one.name: one.origin for one in formats.available()}["trap_two"] == f"plugins in {plugin_folder}"
    done = cli("build", f"{traps}:trap")
    assert "3 added, 0 unchanged, 1 failed (1 missing)" in done.err
    assert formats.use_folder(plugin_folder) == problems


def test_failing_detect_is_named_and_stops_nothing(plugin_folder, tmp_path):
    path = plugin_folder / "trap_format.py"
    path.write_text(EXAMPLE.replace('return "it has captions.trap"', 'return 1 / 0 or "it has captions.trap"'))
    root = make_folder(tmp_path / "traps", "a.jpg")
    (root / "captions.trap").touch()
    formats.use_folder(plugin_folder)
    choice = formats.choose(root)
    assert choice.format == "folder"
    assert any("trap" in notice and "ZeroDivisionError" in notice for notice in choice.notices)


def test_folder_that_is_not_there_is_a_problem(tmp_path):
    (problem,) = formats.use_folder(tmp_path / "nothing")
    assert "cannot be read" in problem


def broken(**changes):
    return type("Broken", (FolderReader,), {"format": "broken", **changes})


def twisted(change):
    def read(self):
        for number, item in enumerate(FolderReader.read(self)):
            yield change(number, item)

    return read


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (broken(format="Bad Name"), "format is"),
        (broken(about=""), "about is empty"),
        (broken(detect=classmethod(lambda cls, location: "always")), "an empty folder"),
        (broken(detect=classmethod(lambda cls, location: None)), "its own dataset"),
        (broken(read=twisted(lambda n, item: item._replace(id=f"/{item.id}"))), "no relative path"),
        (broken(read=twisted(lambda n, item: item._replace(subset=""))), "subset"),
        (broken(read=twisted(lambda n, item: item._replace(labels=["x"]))), "tuple"),
        (broken(read=twisted(lambda n, item: item._replace(id="same"))), "in_order is set"),
        (broken(read=twisted(lambda n, item: item._replace(media="nothing.png"))), "is no image"),
        (broken(read=twisted(lambda n, item: item._replace(media="a.png"))), "the same image"),
        (broken(open=lambda self, item: self.root / "a.png"), "is not the media"),
    ],
)
def test_contract_names_what_is_wrong_with_a_reader(reader, message, tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png", "x/c.png")
    with pytest.raises(AssertionError, match=message):
        testing.check_reader(reader, root)


def test_contract_names_items_that_are_not_as_expected(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    right = {"a.png": ("default", ()), "b.png": ("default", ())}
    assert [item.id for item in testing.check_reader(FolderReader, root, items=right)] == ["a.png", "b.png"]
    with pytest.raises(AssertionError, match=r"'b.png' is .* and should be \('val', \(\)\)"):
        testing.check_reader(FolderReader, root, items={**right, "b.png": ("val", ())})
    with pytest.raises(DatasetError, match="no option"):
        FolderReader(root, {"x": "y"})
    assert isinstance(next(FolderReader(root).read()), ReadItem)
