"""A dry run says what a build would do, in the words of the build, and does nothing of it."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import asdict

import pytest

from clipdex import BuildPlan, BuildSettings, build, plan_build
from clipdex.building import dry_run, planning
from clipdex.encoder import Encoder
from clipdex.errors import ClipdexError, DatasetError, DeviceUnavailable, IndexFailure, ModelMismatch
from clipdex.readers import FolderReader
from clipdex_indexes import IndexWriter
from helpers_engine import make_folder, picture, renamed_model, touch_later

NAMES = ("a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/c/3.png", "d.png", "e.png")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Seven images with their index. Not to be changed."""
    root = make_folder(tmp_path_factory.mktemp("built") / "data", *NAMES)
    build(root)
    return root


@pytest.fixture
def root(built, tmp_path):
    return shutil.copytree(built, tmp_path / "data")


@pytest.fixture
def unread(monkeypatch):
    """Let it be an error to open an image or to load a tower."""

    def never(*_):
        raise AssertionError("a dry run reads no image and loads no model")

    monkeypatch.setattr(planning, "open_media", never)
    for tower in ("_new_image_tower", "_new_text_tower"):
        monkeypatch.setattr(Encoder, tower, never)


def everything(folder):
    """All that is below a folder, with sizes, times and inodes: files, folders, and a lock if there is one."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[path.relative_to(folder)] = status.st_size, status.st_mtime_ns, status.st_ino
    return found


def error_of(function, *arguments, **keywords):
    with pytest.raises(ClipdexError) as raised:
        function(*arguments, **keywords)
    return raised.type, raised.value.message


def test_it_finds_what_differs_and_names_the_first(root, unread):
    shutil.copy(root / "d.png", root / "z.png")
    picture(30, (90, 70)).save(root / "a" / "new.png")
    picture(31, (91, 71)).save(root / "b" / "1.png")
    touch_later(root / "b" / "2.png")
    (root / "e.png").unlink()
    (root / "notes.pdf").write_bytes(b"x")
    (root / "other.png").mkdir()
    os.mkfifo(root / "pipe.png")
    plan = plan_build(root)
    assert (plan.added, plan.changed, plan.touched, plan.unchanged, plan.removed, plan.kept) == (2, 2, 0, 4, 1, 0)
    assert plan.named == {
        "added": ("a/new.png", "z.png"),
        "changed": ("b/1.png", "b/2.png"),
        "removed": ("e.png",),
    }
    assert (plan.to_hash, plan.to_compare, plan.items, plan.refusal) == (4, 1, 8, "")
    assert [(one.id, one.reason) for one in plan.failed] == [("pipe.png", "not a regular file")]
    assert plan.passed_over == {".pdf": 1}
    assert (plan.root, plan.index) == (root, root / ".clipdex")
    assert (plan.model, plan.model_choice) == ("starter", "that of the index")


def test_no_more_are_named_than_asked_for_and_the_first_come_first(root):
    for name in ("a/1.png", "b/1.png", "d.png"):
        (root / name).unlink()
    assert plan_build(root, limit=2).named["removed"] == ("a/1.png", "b/1.png")
    assert plan_build(root, limit=0).named["removed"] == ()
    assert plan_build(root, limit=0).removed == 3


def test_the_build_finds_what_the_dry_run_said(root):
    make_folder(root, "new/1.png", "new/2.png", seed=40)
    (root / "d.png").rename(root / "f.png")
    (root / "e.png").unlink()
    touch_later(root / "a" / "1.png")
    plan, report = plan_build(root), build(root)
    hashed = report.added + report.changed
    assert (hashed, report.touched, report.renamed) == (2, 1, 1)
    assert plan.to_hash - plan.to_compare <= hashed <= plan.to_hash
    assert plan.items - report.items == report.renamed - (plan.removed - report.removed) == 0
    again = plan_build(root)
    assert (again.to_hash, again.unchanged, again.items) == (0, report.items, report.items)


@pytest.mark.parametrize("keywords", [{}, {"rebuild": True}, {"prune": True}])
def test_it_writes_nothing_of_the_dataset_and_nothing_at_home(root, keywords, tmp_path, monkeypatch, nothing_kept):
    shutil.rmtree(root / "a")
    (root / ".clipdex" / "lock").unlink(missing_ok=True)
    fresh = make_folder(tmp_path / "fresh", "a.png")
    before = everything(tmp_path), everything(nothing_kept.parent)
    plan_build(root, **keywords)
    plan_build(fresh, **keywords)
    plan_build(fresh, index=tmp_path / "elsewhere" / "index", **keywords)
    assert (everything(tmp_path), everything(nothing_kept.parent)) == before


def test_it_works_while_another_process_writes(root):
    make_folder(root, "new.png", seed=40)
    with IndexWriter(root / ".clipdex"):
        plan = plan_build(root, wait=False)
    assert (plan.added, plan.unchanged) == (1, 7)


def test_an_index_that_is_not_complete_or_cannot_be_written_is_said(root, monkeypatch):
    def sentences():
        said = []
        plan_build(root, notice=said.append)
        return said

    assert sentences() == []
    with IndexWriter(root / ".clipdex") as writer:
        writer.remove(next(where for where, _ in writer.base.items()))
        writer.checkpoint()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    stopped, cannot = sentences()
    assert "was stopped, or is still running" in stopped
    assert f"{root / '.clipdex'} cannot be written to" in cannot


@pytest.mark.parametrize("in_the_way", ["a file", "a link that leads to nothing", "a file above"])
def test_what_is_in_the_place_of_the_index_is_said_as_by_the_build(cli, tmp_path, in_the_way):
    root = make_folder(tmp_path / "set", "a.png")
    index = root / ".clipdex"
    if in_the_way == "a link that leads to nothing":
        index.symlink_to(tmp_path / "away")
    else:
        index.write_text("x")
    where = ()
    if in_the_way == "a file above":
        index /= "deep"
        where = ("--index", index)
    done, dry = cli("build", root, *where), cli("build", root, *where, "--dry-run")
    assert (done.code, dry.code) == (1, 1)
    assert f"cannot make the index folder {index}: {root / '.clipdex'} is " in done.err
    assert done.err == dry.err


def only_half(root):
    for name in NAMES[:4]:
        (root / name).unlink()


def without_a_folder(root):
    shutil.rmtree(root / "b")


def without_images(root):
    for name in NAMES:
        (root / name).unlink()


def renamed(root):
    (root / "a").rename(root / "z")
    (root / "b").rename(root / "train")


def renamed_and_gone(root):
    (root / "b").rename(root / "y")
    shutil.rmtree(root / "a")


def a_few(root):
    (root / "a" / "1.png").unlink()


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("change", [only_half, without_a_folder, without_images, renamed, renamed_and_gone, a_few])
def test_it_is_refused_where_the_build_is_in_the_same_words(root, change, rebuild):
    change(root)
    settings = BuildSettings(rebuild=rebuild)
    plan, agreed = plan_build(root, settings), plan_build(root, settings, prune=True)
    assert agreed.refusal == ""
    assert agreed.items == 7 - agreed.removed + agreed.added
    if change in (renamed, a_few):
        assert plan.refusal == ""
        build(root, settings)
    else:
        assert plan.refusal == error_of(build, root, settings)[1]
        assert f"clipdex build{' --rebuild' * rebuild} --prune {root}" in plan.refusal


def test_images_that_were_moved_are_told_where_much_is_gone(root):
    renamed(root)
    plan = plan_build(root)
    assert (plan.renamed, plan.removed, plan.to_hash, plan.refusal) == (5, 0, 0, "")
    assert plan.named["renamed"] == ("train/1.png", "train/2.png", "train/c/3.png", "z/1.png", "z/2.png")
    (root / "z" / "1.png").unlink()
    (root / "train" / "1.png").unlink()
    only = plan_build(root)
    assert (only.renamed, only.removed, only.named["removed"]) == (3, 2, ("a/1.png", "b/1.png"))


def test_a_rebuild_hashes_everything_and_says_what_it_drops(root, unread, tmp_path):
    (root / "e.png").unlink()
    make_folder(root, "new.png", seed=40)
    plan = plan_build(root, rebuild=True)
    assert (plan.added, plan.unchanged, plan.removed, plan.to_hash, plan.items) == (1, 6, 1, 7, 7)
    assert (plan.model_choice, plan.named["removed"]) == ("bundled", ("e.png",))
    model = renamed_model(tmp_path / "model", "mine")
    assert plan_build(root, rebuild=True, model=str(model)).model == "mine"


def test_a_rebuild_in_another_format_is_compared_with_nothing(tmp_path, root):
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in NAMES:
            file.write(root / name, name)
    build(archive, options={"root": "b"})
    plan = plan_build(archive, options={"root": "a"}, rebuild=True)
    assert (plan.added, plan.removed, plan.to_hash, plan.items, plan.refusal) == (2, 0, 2, 2, "")


def test_a_rebuild_replaces_an_index_that_cannot_be_read(root):
    (root / ".clipdex" / "manifest.json").write_bytes(b"{}")
    assert error_of(plan_build, root) == error_of(build, root)
    plan = plan_build(root, rebuild=True)
    assert (plan.added, plan.to_hash, plan.items) == (7, 7, 7)
    without_images(root)
    assert error_of(plan_build, root, rebuild=True) == error_of(build, root, rebuild=True)


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"model": "no-such-model"}, ClipdexError),
        ({"model": "mine"}, ModelMismatch),
        ({"precision": "bf16"}, ModelMismatch),
        ({"format": "zip"}, DatasetError),
        ({"format": "no_such_format"}, DatasetError),
        ({"options": {"no": "such option"}}, DatasetError),
        ({"rebuild": True, "device": "NONSENSE"}, DeviceUnavailable),
        ({"rebuild": True, "precision": "f16", "device": "CPU"}, DeviceUnavailable),
        ({"index": "taken"}, IndexFailure),
    ],
)
def test_what_the_build_refuses_at_once_is_refused_in_the_same_words(root, keywords, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    renamed_model(tmp_path / "model", "mine")
    make_folder(tmp_path / "taken", "a.png")
    keywords = {**keywords, **({"model": str(tmp_path / "model")} if keywords.get("model") == "mine" else {})}
    if keywords.get("precision") == "f16" and _has_f16():
        pytest.skip("this device computes in f16")
    kind, message = error_of(plan_build, root, **keywords)
    assert issubclass(kind, error)
    assert (kind, message) == error_of(build, root, **keywords)


def _has_f16():
    from clipdex.encoder.devices import precisions

    return "f16" in precisions("CPU")


@pytest.mark.parametrize("name", ["nothing", "empty", "documents", "list.txt"])
def test_a_dataset_that_is_not_there_or_empty_is_refused_in_the_same_words(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "clip.mp4").write_bytes(b"x")
    (tmp_path / "list.txt").write_text("")
    kind, message = error_of(plan_build, tmp_path / name)
    assert issubclass(kind, DatasetError)
    assert (kind, message) == error_of(build, tmp_path / name)


def test_the_index_of_another_dataset_is_refused_in_the_same_words(root, tmp_path):
    other = make_folder(tmp_path / "other", "a.png")
    build(other, index=tmp_path / "index")
    assert error_of(plan_build, root, index=tmp_path / "index") == error_of(build, root, index=tmp_path / "index")


def test_what_failed_before_is_tried_again_and_is_no_news(root):
    (root / "broken.png").write_bytes(b"x")
    assert plan_build(root).added == 1
    build(root)
    plan = plan_build(root)
    assert (plan.added, plan.retried, plan.to_hash, plan.items) == (0, 1, 0, 7)
    (root / "broken.png").write_bytes(b"xy")
    assert (plan_build(root).added, plan_build(root).retried) == (1, 0)


def test_images_that_an_extra_would_read_are_passed_over_without_it(root, monkeypatch):
    (root / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    monkeypatch.setattr(dry_run, "has_decoder", lambda suffix: False)
    plan = plan_build(root)
    assert (plan.added, plan.passed_over) == (0, {".heic": 1})
    monkeypatch.setattr(dry_run, "has_decoder", lambda suffix: True)
    assert (plan_build(root).added, plan_build(root).passed_over) == (1, {})


def test_a_place_that_cannot_be_looked_at_is_kept_and_a_rebuild_is_refused(root, deny):
    deny(root / "b")
    plan = plan_build(root)
    assert (plan.kept, plan.removed, plan.items, plan.refusal) == (3, 0, 7, "")
    assert [one.id for one in plan.failed] == ["b"]
    assert plan_build(root, rebuild=True).refusal == error_of(build, root, rebuild=True)[1]
    agreed = plan_build(root, rebuild=True, prune=True)
    assert (agreed.kept, agreed.removed, agreed.items) == (0, 3, 4)


def test_a_list_is_planned_like_a_folder(root, tmp_path, unread):
    listed = tmp_path / "images.csv"
    listed.write_text("path\n" + "".join(f"data/{name}\n" for name in (*NAMES, "gone.png")))
    plan = plan_build(listed)
    assert (plan.added, plan.to_hash, [one.kind for one in plan.failed]) == (7, 7, ["missing"])


def test_an_item_of_which_only_the_label_changed_is_not_hashed(root, tmp_path):
    table = tmp_path / "images.csv"
    table.write_text("path,label\n" + "".join(f"data/{name},old\n" for name in NAMES))
    build(table)
    table.write_text(table.read_text().replace("old", "new", 3))
    plan = plan_build(table)
    assert (plan.touched, plan.changed, plan.to_hash, plan.unchanged) == (3, 0, 0, 4)
    assert build(table).touched == 3


def test_it_takes_the_keywords_of_a_build_and_no_others(root):
    phases = []
    plan = plan_build(
        root, BuildSettings(model="nothing"), model="starter", progress=lambda one: phases.append(one.phase)
    )
    assert isinstance(plan, BuildPlan)
    assert set(phases) == {"scan"}
    assert asdict(plan)["unchanged"] == 7
    with pytest.raises(TypeError, match=r"plan_build\(\) got an unexpected keyword argument 'rebuilt'"):
        plan_build(root, rebuilt=True)


def test_the_command_names_a_few_of_each_kind_and_counts_all(cli, root):
    make_folder(root, *(f"new/{number}.png" for number in range(7)), seed=40)
    (root / "e.png").unlink()
    (root / "clip.mp4").write_bytes(b"x")
    before = everything(root)
    done = cli("build", "--dry-run", root)
    assert done.code == 0
    assert done.lines == [
        *(f"added: new/{number}.png" for number in range(5)),
        "added: 2 more",
        "removed: e.png",
        f"{root}: passed over: 1 .mp4",
        f"dry run of {root}: 7 added, 6 unchanged, 1 removed, 0 failed; 7 images to hash; 13 images in the index "
        "afterwards (model starter, that of the index)",
    ]
    assert done.err == ""
    assert len(cli("build", "--dry-run", "--limit", "7", root).lines) == 10
    assert len(cli("build", "--dry-run", "--limit", "0", root).lines) == 2
    assert cli("build", "--dry-run", "--quiet", root).out == b""
    assert everything(root) == before


def test_the_command_says_what_the_content_of_files_decides(cli, root):
    touch_later(root / "d.png")
    done = cli("build", "--dry-run", root)
    assert "1 changed, 6 unchanged, 0 failed; 0 to 1 image to hash; 7 images" in done.lines[-1]


def test_the_command_ends_like_a_build_that_is_refused(cli, root):
    without_a_folder(root)
    planned, built = cli("build", "--dry-run", root), cli("build", root)
    assert (planned.code, planned.err) == (built.code, built.err) == (1, planned.err)
    assert "3 of the 7 images" in planned.err
    assert "the build would be refused" in planned.lines[-1]
    assert cli("build", "--dry-run", "--quiet", root).err == planned.err
    agreed = cli("build", "--dry-run", "--prune", root)
    assert (agreed.code, agreed.err) == (0, "")
    assert "3 removed" in agreed.lines[-1]
    assert "4 images in the index" in agreed.lines[-1]


@pytest.mark.parametrize("case", ["all unseen", "all dropped", "no such dataset", "no image"])
def test_the_command_fails_where_the_build_fails(cli, root, tmp_path, deny, case):
    words = [root]
    if case == "all unseen":
        deny(root)
    elif case == "all dropped":
        without_images(root)
        words = [root, "--prune"]
    elif case == "no such dataset":
        words = [tmp_path / "nothing"]
    else:
        (tmp_path / "empty").mkdir()
        words = [tmp_path / "empty"]
    planned, built = cli("build", "--dry-run", *words), cli("build", *words)
    assert planned.code == built.code == 1
    assert planned.err.splitlines()[-1] == built.err.splitlines()[-1]


def test_the_command_plans_each_target_and_sources_of_a_project(cli, root, tmp_path):
    other = make_folder(tmp_path / "other", "x.png")
    done = cli("build", "--dry-run", tmp_path / "nothing", root, other)
    assert done.code == 1
    assert [line.split(":")[0] for line in done.lines] == [f"dry run of {root}", "added", f"dry run of {other}"]
    assert not (other / ".clipdex").exists()
    project = tmp_path / "project"
    cli("project", "create", project)
    cli("project", "add", "-p", project, other)
    for words in (("build", "-p", project), ("build", "-p", project, "other"), ("project", "build", "-p", project)):
        before = everything(project)
        done = cli(*words, "--dry-run")
        assert (done.code, done.lines[0]) == (0, "added: x.png")
        assert everything(project) == before
        assert not (other / ".clipdex").exists()


def test_names_cannot_steer_the_terminal(cli, root):
    make_folder(root, "evil\x1b]0;title\x07\nclipdex: fine.png", seed=40)
    done = cli("build", "--dry-run", root)
    assert not {b"\x1b", b"\x07"} & {bytes([byte]) for byte in done.out}
    assert len(done.lines) == 2


@pytest.mark.parametrize("command", [("build",), ("project", "build")])
def test_the_number_to_name_is_for_dry_runs_only(cli, root, command):
    done = cli(*command, "--limit", "3", *(root,) * (command == ("build",)))
    assert (done.code, done.out) == (2, b"")
    assert "--limit goes with --dry-run" in done.err


def test_keys_that_other_indexes_have_are_told_apart_from_images_to_hash(tmp_path):
    make_folder(tmp_path / "data", "a/one.png", "a/two.png", "b/three.png")
    build(tmp_path / "data" / "a")
    plan = plan_build(tmp_path / "data")
    assert (plan.added, plan.taken_over, plan.to_hash) == (3, 2, 1)
    report = build(tmp_path / "data")
    assert (report.added, report.hashed) == (3, 1)


def test_a_dataset_without_an_index_is_read_once(tmp_path, monkeypatch):
    make_folder(tmp_path / "data", "a.png", "b.png")
    begun = []
    read = FolderReader.read

    def counted(reader):
        begun.append(reader.location)
        return read(reader)

    monkeypatch.setattr(FolderReader, "read", counted)
    assert plan_build(tmp_path / "data").added == 2
    assert begun == [tmp_path / "data"]
