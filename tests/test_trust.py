"""A stranger's project is data until its plugins are trusted; then what runs is what was looked at."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import stat
import sys
from pathlib import Path

import pytest

from clipdex import build, open_project
from clipdex.errors import DatasetError
from clipdex.projects.editing import create_project
from clipdex.readers import formats
from clipdex.readers.plugin_files import read_plugins
from clipdex.user_folders import state_folder
from helpers_engine import make_folder, run_process
from test_project_formats import PLUGIN

MARK = "import os, pathlib\npathlib.Path(os.environ['MARK']).touch()\n"


@pytest.fixture(autouse=True)
def _no_plugins_left():
    yield
    formats.reload()


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Tells whether code of a stranger has run since it was asked last."""
    mark = tmp_path / "mark"
    monkeypatch.setenv("MARK", str(mark))

    def asked():
        was = mark.exists()
        mark.unlink(missing_ok=True)
        return was

    return asked


@pytest.fixture
def project(tmp_path, ran, monkeypatch):
    """A project as it comes out of an archive, with an index and with plugins; the current folder is in it."""
    folder = tmp_path / "project"
    make_folder(folder / "data", "a.png", "b.png")
    build(folder / "data")
    (folder / "data" / "pairs.txt").write_text("b.png cat\na.png dog\n")
    (folder / "clipdex.toml").write_text("version = 1\n[sources.data]\npath = 'data'\n")
    (folder / "plugins" / "pack").mkdir(parents=True)
    (folder / "plugins" / "pairs.py").write_text(MARK + PLUGIN)
    (folder / "plugins" / "pack" / "__init__.py").write_text("from . import inner\n")
    (folder / "plugins" / "pack" / "inner.py").write_text(MARK)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def here(project, cli, monkeypatch):
    """Run a command line in the project."""
    monkeypatch.chdir(project)
    return cli


COMMANDS = [
    ("query", "--item", "a", "-k", "1"),
    ("query", "data", "--item", "a"),
    ("explore", "--item", "a"),
    ("build",),
    ("build", "--dry-run"),
    ("info",),
    ("info", "--facets"),
    ("duplicates",),
    ("verify",),
    ("optimize",),
    ("merge", "-o", "../merged"),
    ("export", "--hash-keys", "../keys.npz"),
    ("tag", "list"),
    ("formats",),
    ("map", "-o", "../map.csv"),
    ("project", "info"),
    ("project", "build"),
    ("project", "run"),
    ("project", "add", "data", "-n", "more"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_in_a_project_of_a_stranger_run_none_of_its_code_and_say_what_was_not_loaded(
    here, project, ran, words
):
    if words[0] == "map":
        pytest.importorskip("openTSNE")
    done = here(*words)
    assert not ran()
    assert done.err.count(f"The plugins in {project / 'plugins'} were not loaded: you have not trusted them yet.") == 1
    assert f"clipdex project trust {project}" in done.err
    # One dataset is no merge, and a dataset is in a project once.
    assert done.code == (1 if "merge" in words or "add" in words else 0), done.err


def test_naming_the_project_is_no_trust(cli, project, ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ("query", "-p", project, "--item", "a"),
        ("formats", "-p", project),
        ("project", "info", "-p", project),
    ):
        assert "were not loaded" in cli(*words).err
        assert not ran()


def test_the_commands_that_save_the_last_result_run_no_code(here, ran):
    assert here("query", "--item", "a", "-k", "1", "-s", "-o", "../saved").code == 0
    assert here("save", "-o", "../again").code == 0
    assert here("save", "../saved/result.json", "--html", "../page.html").code == 0
    assert not ran()


def test_trusted_plugins_are_shown_and_then_loaded(here, project, ran):
    shown = here("project", "trust", "--dry-run")
    assert [line.split()[0] for line in shown.lines] == ["file", "pack/__init__.py", "pack/inner.py", "pairs.py"]
    assert "were not loaded" in here("formats").err
    done = here("project", "trust")
    assert (done.code, done.out) == (0, shown.out)
    assert "Trusted." in done.err
    assert not ran()
    listed = here("formats", "--json")
    assert [one["from"] for one in listed.json if one["name"] == "pairs"] == [f"plugins in {project / 'plugins'}"]
    assert f"Loaded the plugins in {project / 'plugins'}" in listed.err
    assert ran()
    assert f"plugins  {project / 'plugins'} (trusted)" in here("project", "info").lines


def test_another_place_and_a_link_to_it_are_trusted_by_their_real_path(here, project, tmp_path, ran, monkeypatch):
    assert here("project", "trust", project).code == 0
    (tmp_path / "link").symlink_to(project)
    monkeypatch.chdir(tmp_path)
    assert "Loaded the plugins" in here("formats", "-p", "link").err
    shutil.copytree(project, tmp_path / "copy")
    formats.reload()
    ran()
    assert "not trusted them yet" in here("formats", "-p", "copy").err
    assert not ran()


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "# changed\n")


CHANGES = {
    "pairs.py is changed": lambda plugins: edit(plugins / "pairs.py"),
    "pack/inner.py is changed": lambda plugins: edit(plugins / "pack" / "inner.py"),
    "new.py is new": lambda plugins: (plugins / "new.py").write_text(""),
    "pack/labels.json is new": lambda plugins: (plugins / "pack" / "labels.json").write_text("{}"),
    "pack/inner.py is gone": lambda plugins: (plugins / "pack" / "inner.py").unlink(),
}


@pytest.mark.parametrize("said", CHANGES)
def test_a_changed_file_ends_the_trust_and_is_named(here, project, ran, said):
    here("project", "trust")
    CHANGES[said](project / "plugins")
    done = here("query", "--item", "a")
    assert done.code == 0
    assert f"were not loaded: since you trusted them, {said}. " in done.err
    assert not ran()
    assert "(changed since they were trusted)" in here("project", "info").out.decode()
    assert said in here("project", "trust").lines
    assert "Loaded the plugins" in here("formats").err


def test_the_file_of_the_project_cannot_move_the_trust_to_another_folder(here, project, ran):
    here("project", "trust")
    (project / "plugins").rename(project / "other")
    path = project / "clipdex.toml"
    path.write_text("plugins = 'other'\n" + path.read_text())
    assert "were not loaded" in here("formats").err
    assert not ran()


def test_trust_can_be_withdrawn(here, ran):
    here("project", "trust")
    assert "not trusted any more" in here("project", "trust", "--withdraw").err
    assert "were not loaded" in here("formats").err
    assert not ran()
    assert "was not trusted" in here("project", "trust", "--withdraw").err


def test_nothing_in_a_project_says_that_it_is_trusted(here, project, tmp_path, ran):
    here("project", "trust")
    shutil.copytree(state_folder(), project / ".clipdex-project" / "state", dirs_exist_ok=True)
    shutil.copytree(state_folder(), project / "state")
    here("project", "trust", "--withdraw")
    assert "were not loaded" in here("formats").err
    assert not ran()


def test_what_is_remembered_is_private_and_a_damaged_record_is_no_trust(here, project, ran):
    here("project", "trust")
    (record,) = (state_folder() / "trusted-projects").iterdir()
    if os.name != "nt":
        assert stat.S_IMODE(record.stat().st_mode) == 0o600
        assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700
    body = json.loads(record.read_text())
    for damage in (
        b"{",
        b"[]",
        b"\xff",
        json.dumps({**body, "files": 5}).encode(),
        json.dumps({**body, "version": 2}).encode(),
    ):
        record.write_bytes(damage)
        assert "not trusted them yet" in here("formats").err
        assert not ran()


def test_a_variable_trusts_one_project_by_its_absolute_path(here, project, ran, monkeypatch):
    monkeypatch.setenv("CLIPDEX_TRUST", str(project.parent))
    assert "were not loaded" in here("formats").err
    monkeypatch.setenv("CLIPDEX_TRUST", ".")
    said = here("formats").err
    assert "CLIPDEX_TRUST is '.', and must be an absolute path" in said and "were not loaded" in said
    assert not ran()
    monkeypatch.setenv("CLIPDEX_TRUST", f"{project}{os.sep}")
    assert "($CLIPDEX_TRUST names it)" in here("formats").err
    assert ran()
    assert "(trusted by $CLIPDEX_TRUST)" in here("project", "info").out.decode()
    assert not (state_folder() / "trusted-projects").exists()


def test_a_format_of_plugins_that_were_not_loaded_is_missed_with_the_remedy(here, project, ran):
    done = here("build", "data:pairs", "--rebuild")
    assert done.code == 1
    assert "there is no format 'pairs'" in done.err
    assert f"{project / 'plugins'} may have it, and was not loaded: clipdex project trust {project}" in done.err
    assert not ran()
    here("project", "trust")
    assert here("build", "data:pairs", "--rebuild").code == 0


def test_a_command_without_a_home_folder_trusts_nothing(here, ran, monkeypatch):
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert "were not loaded" in here("formats").err
    done = here("project", "trust")
    assert (done.code, "no home folder" in done.err) == (1, True)
    assert not ran()


def test_python_loads_plugins_only_where_it_is_told_to(project, ran):
    assert open_project(project).sources
    assert not ran()
    with pytest.raises(DatasetError, match="no format 'pairs'"):
        formats.reader_class("pairs")
    (project / "plugins" / "broken.py").write_text("1 / 0\n")
    with pytest.warns(UserWarning, match=r"broken.py was left out: ZeroDivisionError"):
        open_project(project, trust=True)
    assert ran()
    assert formats.reader_class("pairs").format == "pairs"


def test_python_is_told_where_plugins_cannot_be_read(project, ran, monkeypatch):
    monkeypatch.setattr("clipdex.readers.plugin_files._MOST_FILES", 1)
    with pytest.raises(DatasetError, match="more than 1 files"):
        open_project(project, trust=True)
    assert not ran()


def bytecode(source: str, target: Path, scratch: Path) -> None:
    (scratch / "evil.py").write_text(source)
    target.parent.mkdir(exist_ok=True)
    py_compile.compile(
        str(scratch / "evil.py"), str(target), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


def test_bytecode_of_a_stranger_never_runs(project, ran, tmp_path):
    plugins = project / "plugins"
    for path in ("pairs.py", "pack/__init__.py", "pack/inner.py"):
        source = plugins / path
        source.write_text("" if path != "pairs.py" else PLUGIN)
        bytecode(MARK, source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc", tmp_path)
        bytecode(
            MARK, source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.opt-1.pyc", tmp_path
        )
    bytecode(MARK, plugins / "alone.pyc", tmp_path)
    bytecode(MARK, plugins / "pack" / "alone.pyc", tmp_path)
    (plugins / "pack" / "__init__.py").write_text(
        "from . import inner\ntry:\n    from . import alone\nexcept ImportError:\n    pass\n"
    )
    with pytest.warns(UserWarning) as said:
        open_project(project, trust=True)
    assert not ran()
    assert sum("only Python source is loaded" in str(one.message) for one in said) == 2
    assert formats.reader_class("pairs").format == "pairs"


def test_loading_leaves_no_bytecode_behind(project):
    open_project(project, trust=True)
    assert not list(project.rglob("__pycache__"))


def test_what_runs_is_what_was_read_and_not_what_a_file_has_become(project, ran):
    plugins = project / "plugins"
    (plugins / "pairs.py").write_text(PLUGIN)
    (plugins / "pack" / "inner.py").write_text("")
    (plugins / "pack" / "late.py").write_text("VALUE = 'as read'\n")
    (plugins / "pack" / "__init__.py").write_text(
        "from clipdex.readers import FolderReader\nfrom . import inner\n\n"
        "class Late(FolderReader):\n    format = 'late'\n\n    @property\n    def value(self):\n"
        "        from .late import VALUE\n        return VALUE\n"
    )
    files = read_plugins(plugins)
    for path in ("pairs.py", "pack/__init__.py", "pack/inner.py", "pack/late.py"):
        (plugins / path).write_text(MARK)
    assert formats.use_plugins(files) == []
    assert not ran()
    assert formats.reader_class("late")(project / "data").value == "as read"
    assert not ran()


def test_packages_in_packages_and_folders_without_an_init_are_imported_from_what_was_read(project, ran):
    plugins = project / "plugins"
    (plugins / "pack" / "deep" / "plain").mkdir(parents=True)
    (plugins / "pack" / "deep" / "__init__.py").write_text("from .plain import leaf\n")
    (plugins / "pack" / "deep" / "plain" / "leaf.py").write_text(
        "# -*- coding: latin-1 -*-\nNAME = 'caf\xe9'\n", encoding="latin-1"
    )
    (plugins / "pack" / "__init__.py").write_text(
        "from clipdex.readers import FolderReader\nfrom .deep import leaf\n\nclass Deep(FolderReader):\n"
        "    format = 'deep'\n    about = leaf.NAME\n    where = __file__\n"
    )
    assert formats.use_folder(plugins) == []
    reader = formats.reader_class("deep")
    assert (reader.about, reader.where) == ("caf\xe9", str(plugins / "pack" / "__init__.py"))


def test_links_are_followed_by_content_and_said_to_lead_elsewhere(here, project, tmp_path, ran):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "linked.py").write_text("")
    (project / "plugins" / "linked.py").symlink_to(outside / "linked.py")
    (project / "plugins" / "folder").symlink_to(outside)
    shown = here("project", "trust").out.decode()
    assert f"linked.py -> {outside / 'linked.py'}" in shown
    assert f"folder/linked.py -> {outside / 'linked.py'}" in shown
    (outside / "linked.py").write_text(MARK)
    said = here("formats").err
    assert "folder/linked.py is changed, linked.py is changed" in said
    assert not ran()


def test_plugins_that_cannot_be_read_to_their_end_are_not_loaded(here, project, ran, monkeypatch):
    here("project", "trust")
    loop = project / "plugins" / "pack" / "again"
    loop.symlink_to(project / "plugins")
    assert "leads back to" in here("formats").err
    assert here("project", "trust").code == 1
    loop.unlink()
    with (project / "plugins" / "large.bin").open("wb") as file:
        file.truncate(1 << 30)
    assert "more than 64 MiB" in here("formats").err
    (project / "plugins" / "large.bin").unlink()
    os.mkfifo(project / "plugins" / "pipe.py")
    monkeypatch.setattr("clipdex.readers.plugin_files._MOST_FILES", 2)
    assert "more than 2 files" in here("formats").err
    assert not ran()


def test_hidden_files_and_a_folder_without_modules_ask_for_nothing(here, project, ran):
    here("project", "trust")
    (project / "plugins" / ".DS_Store").write_bytes(b"x")
    assert "Loaded the plugins" in here("formats").err
    shutil.rmtree(project / "plugins")
    (project / "plugins").mkdir()
    (project / "plugins" / "notes.txt").write_text("no code")
    done = here("project", "trust")
    assert (done.code, "has no plugins" in done.err) == (0, True)
    assert "he plugins in" not in here("formats").err


def test_a_project_made_here_is_trusted_no_more_than_others(cli, tmp_path, ran):
    project = create_project(tmp_path / "own")
    (project.folder / "plugins").mkdir()
    (project.folder / "plugins" / "mine.py").write_text(MARK)
    assert "were not loaded" in cli("formats", "-p", project.folder).err
    assert not ran()


@pytest.mark.parametrize("name", ["click", "PIL", "numpy", "json"])
def test_the_program_imports_no_module_of_the_current_folder(project, ran, name):
    (project / f"{name}.py").write_text(MARK)
    done = run_process("query", "--item", "a", "-k", "1", cwd=project)
    assert (done.code, ran()) == (0, False), done.err


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_servers_in_a_project_of_a_stranger_run_none_of_its_code(here, project, ran, command, monkeypatch):
    monkeypatch.setattr("clipdex_web.serving.serve", lambda *_, **__: None)
    monkeypatch.setattr("clipdex_web.mcp_server.serve", lambda *_, **__: None)
    if command == "mcp":
        pytest.importorskip("mcp")
        monkeypatch.setattr("clipdex_web.mcp_server.Wire", lambda: None)
    done = here(command)
    assert "were not loaded" in done.err
    assert not ran()
