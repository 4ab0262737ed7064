"""What could not be read of annotations: counted and named in the summary, in ``failed.json``, in ``info``."""

from __future__ import annotations

import json
import shutil

import pytest

from clipdex import build, plan_build
from clipdex.datasets.failures import read_listed
from clipdex.datasets.info import describe
from clipdex.errors import IndexCorrupt
from clipdex.readers import formats
from clipdex.readers.annotations import MOST_NAMED, AnnotationProblems
from helpers_coco import body, dataset, write
from helpers_engine import PHOTOS

PLUGIN = """
from clipdex.readers import FolderReader

class NotedReader(FolderReader):
    format = "noted"
    about = "a folder with notes.txt, of which each line is wrong"

    @classmethod
    def detect(cls, location):
        return None

    def read(self):
        self.annotation_problems.clear()
        self.remarks.clear()
        for number, line in enumerate((self.root / "notes.txt").read_text().splitlines(), 1):
            self.annotation_problems.add("notes.txt", f"{line!r} is no label", number)
        yield from super().read()
        self.remarks.append("1 image is named nowhere.")
"""


@pytest.fixture
def noted(tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "noted.py").write_text(PLUGIN)
    formats.use_folder(plugins)
    root = tmp_path / "noted"
    root.mkdir()
    shutil.copy(PHOTOS / "animals/chelsea-the-cat.jpg", root / "cat.jpg")
    (root / "notes.txt").write_text("\n".join(f"note {number}" for number in range(8)))
    yield root
    formats.reload()


def test_report_list_and_info_count_and_name_them_also_when_nothing_changed(noted):
    for again in range(2):
        report = build(noted, format="noted")
        assert (report.items, report.unchanged, report.failed) == (1, again, ())
        assert (report.annotation_problems, report.remarks) == (8, ("1 image is named nowhere.",))
        assert [failure.reason for failure in report.annotations][:2] == [
            "line 1: 'note 0' is no label",
            "line 2: 'note 1' is no label",
        ]
        listed = json.loads((report.index / "failed.json").read_text())
        assert (listed["annotation_problems"], listed["remarks"]) == (8, ["1 image is named nowhere."])
        assert {(entry["kind"], entry["id"]) for entry in listed["failed"]} == {("annotation", "notes.txt")}
    info = describe(noted)
    assert (info.annotation_problems, info.remarks, info.failed, info.new) == (8, ["1 image is named nowhere."], {}, 0)
    assert info.annotations[0] == "notes.txt: line 1: 'note 0' is no label"


def test_summary_and_info_name_the_first_few(noted, cli):
    done = cli("build", noted, "--format", "noted")
    assert done.code == 0
    assert "annotation not read: notes.txt: line 1: 'note 0' is no label" in done.err
    assert "annotation not read: 3 more; the first are listed in" in done.err
    assert "1 image is named nowhere." in done.err
    assert "0 failed, 8 annotations not read; 1 image in the index" in done.err
    shown = cli("info", noted).out.decode()
    assert "8 could not be read in the last build" in shown
    assert "1 image is named nowhere." in shown


def test_a_build_without_problems_forgets_those_of_the_build_before(noted):
    build(noted, format="noted")
    (noted / "notes.txt").write_text("")
    assert build(noted).annotation_problems == 0
    assert describe(noted).annotations == []


def test_only_the_first_are_kept_and_long_reasons_are_cut():
    problems = AnnotationProblems()
    for number in range(MOST_NAMED + 5):
        problems.add("a.txt", "x" * 1000, number + 1)
    assert (problems.count, len(problems.named)) == (MOST_NAMED + 5, MOST_NAMED)
    assert len(problems.named[0].reason) < 400


def test_info_counts_all_that_failed_under_one_id(tmp_path):
    content = body([{"id": 1, "file_name": "a.jpg"}, None, 5, {"id": 2}])
    root = dataset(tmp_path / "ds", content, folder="train")
    write(root / "annotations" / "instances_val.json", body([{"id": 1, "file_name": "gone.jpg"}]))
    write(root / "annotations" / "instances_test.json", body([{"id": 1, "file_name": "gone.jpg"}]))
    report = build(root)
    failed = describe(root).failed
    assert (len(report.failed), len(failed)) == (5, 5)
    line = "annotations/instances_train.json, line 1"
    assert set(failed) == {line, f"{line} (2)", f"{line} (3)", "gone.jpg", "gone.jpg (2)"}
    assert sorted(failed[one] for one in failed if one.startswith(line)) == [
        "an image is a number, and no object",
        "an image is null, and no object",
        "the image 2 has no file_name",
    ]


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"failed": 5}', '{"failed": [{"id": 1}]}', "\xff"])
def test_a_damaged_list_is_said_in_words(tmp_path, content):
    (tmp_path / "failed.json").write_text(content, "latin-1")
    with pytest.raises(
        IndexCorrupt, match=r"failed\.json is damaged: it is no list of failures as a build writes it\. "
    ):
        read_listed(tmp_path)


def test_a_dry_run_counts_and_names_them_as_well(noted, cli):
    plan = plan_build(noted, format="noted")
    report = build(noted, format="noted")
    assert (plan.annotations, plan.annotation_problems, plan.remarks) == (
        report.annotations,
        report.annotation_problems,
        report.remarks,
    )
    lines = cli("build", "--dry-run", "--limit", "2", noted).lines
    assert [line.partition(": ")[0] for line in lines[:3]] == ["annotation not read"] * 3
    assert lines[2:4] == ["annotation not read: 6 more", f"{noted}: 1 image is named nowhere."]
    assert "0 failed, 8 annotations not read; nothing to hash" in lines[-1]
