"""Disks that are really mounted and unmounted: a build keeps what it cannot see, and a dry run needs no place to write.

The steps run in one process of their own, which has mounts that nobody else sees.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from clipdex import build
from helpers_engine import REPOSITORY, make_folder

STEPS = """
import ctypes, json, os, subprocess, sys
from pathlib import Path

from clipdex import build, plan_build
from clipdex.errors import ClipdexError
from helpers_engine import contents, every_file

base = Path(sys.argv[1])
told = {}


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def unmount(folder):
    subprocess.run(["umount", str(folder)], check=True)


def look(step, root, function=build, index=None, **keywords):
    index = base / f"index of {root.name}" if index is None else index
    notices = []
    before = contents(index / "segments") if os.access(index, os.X_OK) else {}
    try:
        report = function(root, index=index, notice=notices.append, **keywords)
        said = {name: getattr(report, name) for name in ("added", "unchanged", "removed", "kept", "items")}
        said["failed"] = {one.id: one.reason for one in report.failed}
        said["error"] = getattr(report, "refusal", "")
    except ClipdexError as error:
        said = {"error": error.message}
    after = contents(index / "segments") if before else {}
    told[step] = {**said, "kept all": after == before, "notices": notices}


part, disk = base / "part", base / "disk"
away = part / "away"
look("unmounted", part)
look("unmounted, rebuild", part, rebuild=True)
look("unmounted, plan", part, plan_build)
mount("-t", "tmpfs", "none", away)
for step, keywords in (("", {}), (", prune", {"prune": True}), (", rebuild", {"rebuild": True})):
    look(f"another disk{step}", part, **keywords)
(away / "lost+found").mkdir()
look("another disk, formatted", part)
unmount(away)
mount("--bind", disk, away)
look("mounted", part)

whole = base / "whole"
look("whole unmounted", whole)
mount("-t", "tmpfs", "none", whole)
look("whole another disk", whole)
unmount(whole)
mount("--bind", disk, whole)
look("whole mounted", whole)
unmount(whole)
whole.rmdir()
look("whole without its folder", whole)

linked, place = base / "linked", base / "place"
look("linked unmounted", linked)
mount("--bind", disk, place)
look("linked mounted", linked)

guarded = base / "guarded"
mount("--bind", guarded, guarded)
mount("-o", "remount,ro,bind", guarded)
before = every_file(guarded)
look("not writable, plan", guarded, plan_build, guarded / ".clipdex")
look("not writable", guarded, build, guarded / ".clipdex")
told["as before"] = every_file(guarded) == before

# Without the privileges of root, nobody may look everywhere.
header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None, use_errno=True).capset(header, nothing) == 0
closed = base / "closed"
(closed / "sub").chmod(0)
look("closed folder", closed)
(closed / "sub").chmod(0o444)
look("folder of which only the names are told", closed)
(closed / "sub").chmod(0o755)
look("open again", closed)
closed.chmod(0)
for step, function in (("", build), (", plan", plan_build)):
    look(f"closed dataset{step}", closed, function)
look("closed with its index", closed, index=closed / ".clipdex")
look("closed with its index, plan", closed, plan_build, closed / ".clipdex")
look("closed with its index, rebuild", closed, build, closed / ".clipdex", rebuild=True)
closed.chmod(0o755)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What builds say while a disk comes and goes, step by step."""
    base = tmp_path_factory.mktemp("mounts")
    alone = [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount"]
    try:
        trial = [*alone, "mount", "-t", "tmpfs", "none", str(base)]
        subprocess.run(trial, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting in a namespace of one's own is not allowed here")
    disk = make_folder(base / "disk", "1.png", "2.png", "deep/3.png", seed=10)
    part = make_folder(base / "part", "a.png", "b.png", "c.png", "d.png")
    linked = make_folder(base / "linked", "a.png", "b.png", "c.png", "d.png")
    (linked / "link").symlink_to(base / "place")
    make_folder(base / "guarded", "a.png")
    closed = make_folder(base / "closed", "a.png", "sub/b.png", "sub/c.png", "sub/without extension")
    build(closed, index=base / "index of closed")
    build(closed)
    # Built while the disk is there, which is a folder that takes the places of the mount points in turn.
    for root, mount_point in ((part, part / "away"), (base / "whole", base / "whole"), (linked, base / "place")):
        disk.rename(mount_point)
        build(root, index=base / f"index of {root.name}")
        mount_point.rename(disk)
        mount_point.mkdir()
    home = str(tmp_path_factory.mktemp("home"))
    paths = os.pathsep.join([str(REPOSITORY / "tests"), *sys.path])
    done = subprocess.run(
        [*alone, sys.executable, "-c", STEPS, str(base)],
        env={**os.environ, "HOME": home, "XDG_STATE_HOME": home, "PYTHONPATH": paths},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_disk_that_is_unmounted_stops_the_build_with_the_numbers_and_the_flag(told):
    for step, flags in (("", "--prune"), (", rebuild", "--rebuild --prune"), (", plan", "--prune")):
        said = told[f"unmounted{step}"]
        assert "3 of the 7 images in the index of" in said["error"]
        assert "(all 3 of the folder away)" in said["error"]
        assert f"clipdex build {flags} " in said["error"]
        assert said["kept all"]


@pytest.mark.parametrize("step", ["another disk", "another disk, prune", "another disk, formatted"])
def test_an_empty_disk_in_its_place_keeps_what_the_index_has(told, step):
    said = told[step]
    assert (said["unchanged"], said["kept"], said["removed"], said["items"]) == (4, 3, 0, 7)
    assert said["failed"] == {"away": "it is an empty mount point"}
    assert said["kept all"]


def test_a_rebuild_does_not_drop_what_is_on_a_disk_that_is_away(told):
    said = told["another disk, rebuild"]
    assert "3 images in the index of" in said["error"]
    assert "cannot be looked at now" in said["error"]
    assert said["kept all"]


@pytest.mark.parametrize(("step", "count"), [("mounted", 7), ("whole mounted", 3), ("linked mounted", 7)])
def test_the_disk_that_comes_back_has_to_be_hashed_by_nobody(told, step, count):
    said = told[step]
    assert (said["unchanged"], said["kept"], said["added"], said["removed"]) == (count, 0, 0, 0)
    assert said["failed"] == {}
    assert said["kept all"]


def test_a_dataset_that_is_the_disk_keeps_its_index(told):
    assert "there are no images in" in told["whole unmounted"]["error"]
    assert "its index of 3 images is kept" in told["whole unmounted"]["error"]
    assert told["whole another disk"]["kept"] == 3
    assert told["whole another disk"]["failed"] == {".": "it is an empty mount point"}
    assert "does not exist" in told["whole without its folder"]["error"]
    for step in ("unmounted", "another disk", "without its folder"):
        assert told[f"whole {step}"]["kept all"]


def test_a_link_into_a_disk_that_is_unmounted_is_no_empty_folder(told):
    assert "(all 3 of the folder link)" in told["linked unmounted"]["error"]
    assert told["linked unmounted"]["kept all"]


def test_a_dry_run_needs_no_disk_that_can_be_written_to(told):
    plan = told["not writable, plan"]
    assert (plan["added"], plan["items"], plan["error"]) == (1, 1, "")
    assert "cannot be written to" in plan["notices"][0]
    assert "Read-only file system" in told["not writable"]["error"]
    assert told["as before"]


def test_what_nobody_may_look_at_is_kept(told):
    said = told["closed folder"]
    assert (said["unchanged"], said["kept"], said["removed"]) == (1, 3, 0)
    assert said["failed"] == {"sub": "the folder cannot be read: Permission denied"}
    said = told["folder of which only the names are told"]
    assert (said["unchanged"], said["kept"], said["removed"]) == (1, 3, 0)
    assert set(said["failed"]) == {"sub/b.png", "sub/c.png", "sub/without extension"}
    assert (told["open again"]["unchanged"], told["open again"]["failed"]) == (4, {})
    for step in ("closed dataset", "closed dataset, plan"):
        assert (told[step]["kept"], told[step]["removed"]) == (4, 0)
        assert told[step]["failed"] == {".": "the folder cannot be read: Permission denied"}


def test_an_index_that_nobody_may_look_at_is_no_missing_one(told):
    for step in ("closed with its index", "closed with its index, plan"):
        assert told[step]["error"].endswith("manifest.json cannot be read: Permission denied.")
    assert "clipdex cannot be looked at: Permission denied" in told["closed with its index, rebuild"]["error"]
