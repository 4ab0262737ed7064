from __future__ import annotations

from pathlib import Path

import pytest

from clipdex.errors import DatasetError, DatasetNotFound
from clipdex.readers.datumaro.project import read_datumaro_project

# As Datumaro 1.11 writes it.
TREE = """build_targets:
  birds:
    parents: []
    stages:
    - hash: 1d3ab56f2e
      kind: ''
      name: root
      params: {}
      type: source
  project:
    parents: []
    stages:
    - hash: ''
      kind: ''
      name: root
      params: {}
      type: project
format_version: 2
sources:
  birds:
    format: coco
    hash: 1d3ab56f2e
    options:
      keep_original_category_ids: true
    path: ''
    url: /data/birds
  cats:
    format: voc
    hash: ''
    options: {}
    path: annotations/train.json
    url: ../elsewhere/cats
  drawn:
    format: datumaro
    hash: ''
    options: {}
    path: ''
    url: ''
"""


@pytest.fixture
def project(tmp_path):
    def make(text: str, name: str = "tree/config.yml") -> Path:
        root = tmp_path / "project"
        path = root / ".datumaro" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return root

    return make


def as_tuples(sources):
    return [(source.name, source.location, source.format, dict(source.options)) for source in sources]


def test_sources_are_where_datumaro_copied_them_or_where_they_came_from(project, tmp_path):
    root = project(TREE)
    (root / "birds").mkdir()
    expected = [
        ("birds", root / "birds", "coco", {"keep_original_category_ids": "true"}),
        ("cats", tmp_path / "elsewhere" / "cats", "voc", {}),
        ("drawn", root / "drawn", "datumaro", {}),
    ]
    assert as_tuples(read_datumaro_project(root)) == expected
    assert as_tuples(read_datumaro_project(root / ".datumaro")) == expected

    (root / "birds").rmdir()
    (root / "cats").mkdir()
    birds, cats, _ = read_datumaro_project(root)
    assert birds.location == Path("/data/birds")
    assert cats.location == root / "cats" / "annotations" / "train.json"


def test_a_project_of_the_first_layout_is_read(project, tmp_path):
    root = project(
        "format_version: 1\nsources:\n  old:\n    url: ../../../photos\n    format: image_dir\n    options: {}\n",
        "config.yaml",
    )
    assert as_tuples(read_datumaro_project(root)) == [("old", tmp_path / "photos", "image_dir", {})]


def test_a_project_without_sources_has_none(project):
    assert read_datumaro_project(project("format_version: 2\n")) == []
    assert read_datumaro_project(project("")) == []


def test_where_there_is_no_project_it_is_said(tmp_path):
    with pytest.raises(DatasetNotFound, match="it has no folder"):
        read_datumaro_project(tmp_path)
    (tmp_path / ".datumaro").mkdir()
    with pytest.raises(DatasetNotFound, match="has no sources"):
        read_datumaro_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: [", "cannot be read as YAML"),
        ("[1]", "it is no mapping"),
        ("sources: [1]", "sources are no mapping"),
        ("sources: {a: 1}", "source 'a' is no mapping"),
        ("sources: {a: {url: x}}", "source 'a' has no format"),
        ("sources: {a: {url: 1, format: coco}}", "url of source 'a' is no text"),
        ("sources: {../a: {format: coco}}", "no name of a source"),
        ("sources: {a: {format: coco, path: ../../etc}}", "leads out of its folder"),
        ("sources: {a: {format: coco, options: [1]}}", "options of source 'a' are no mapping"),
        ("sources: {a: {format: coco, options: {x: [1]}}}", "option 'x' of source 'a'"),
        ("a: &a [1]\nb: [*a, *a]", "it has aliases"),
        ("sources: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
    ],
)
def test_what_is_no_project_is_refused(project, text, said):
    root = project(text)
    with pytest.raises(DatasetError) as caught:
        read_datumaro_project(root)
    assert said in caught.value.message
    assert str(root / ".datumaro" / "tree" / "config.yml") in caught.value.message
