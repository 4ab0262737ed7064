"""Projects of Datumaro, made into ours."""

from __future__ import annotations

import shutil

import pytest

from clipdex.projects.reading import open_project
from helpers_engine import make_folder

pytest.importorskip("clipdex.readers.datumaro.project")
pytest.importorskip("yaml")

CONFIG = """
sources:
  photos:
    url: ''
    path: ''
    format: folder
    options: {}
  lost:
    url: ''
    path: ''
    format: folder
"""


@pytest.fixture
def old(tmp_path):
    folder = tmp_path / "old"
    make_folder(folder / "photos", "a.png", "b.png")
    (folder / ".datumaro" / "tree").mkdir(parents=True)
    (folder / ".datumaro" / "tree" / "config.yml").write_text(CONFIG, encoding="utf-8")
    return folder


def test_an_old_project_becomes_one_of_ours_with_its_sources(cli, old, monkeypatch):
    done = cli("project", "import-datumaro", old)
    assert done.code == 0, done.err
    assert "with the sources: photos, lost" in done.err
    assert f"missing: lost: {old / 'lost'} does not exist" in done.err
    project = open_project(old)
    assert project.source("photos").path == "photos"
    monkeypatch.chdir(old)
    assert cli("explore", "photos", "--item", "a", "-k", "1", "--output", "json").ids == ["a.png"]


def test_the_new_project_can_be_elsewhere_and_is_added_to(cli, old, tmp_path):
    assert cli("project", "import-datumaro", old, "-o", tmp_path / "new").code == 0
    project = open_project(tmp_path / "new")
    assert project.location(project.sources[0]) == old / "photos"
    done = cli("project", "import-datumaro", old, "-o", tmp_path / "new")
    assert (done.code, "left out: photos: " in done.err) == (0, True)
    assert not (old / "clipdex.toml").exists()


def test_what_is_no_project_of_datumaro_is_said(cli, old, tmp_path):
    shutil.rmtree(old / ".datumaro")
    done = cli("project", "import-datumaro", old)
    assert (done.code, str(old) in done.err) == (1, True)
    assert not (old / "clipdex.toml").exists()
