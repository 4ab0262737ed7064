"""Downloading a published model: whole, resumed, checked, and refused with a message that helps."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clipdex.errors import ModelDownloadFailed, ModelNotFound
from clipdex.models.hub.download import PARTIAL, SUFFIXES, Download, DownloadProgress, Limits, download
from clipdex.models.hub.known import KNOWN, KnownModel, find_known
from helpers_engine import contents
from helpers_hub import LocalHub, closed_endpoint, serving

REPOSITORY = "someone/clip-small"
IMAGE, TEXT = "onnx/vision_model.onnx", "onnx/text_model.onnx"
FILES = ("config.json", IMAGE, TEXT, "tokenizer.json")
OPTIONAL = ("tokenizer_config.json", "onnx/vision_model.onnx_data")
HALF = 4 << 16
MODEL = KnownModel(
    name="clip-small",
    title="a small one",
    repository=REPOSITORY,
    layout="towers",
    files=FILES,
    optional=OPTIONAL,
    licence="MIT",
    good_at="tests",
    bits=64,
    image_size=32,
)
LIMITS = Limits(waits=(0.0,) * 4)
PROGRAM = """
import json, sys
from pathlib import Path
from clipdex.models.hub.download import download
from clipdex.models.hub.known import KnownModel
from clipdex.errors import ClipdexError
settings = json.loads(sys.argv[1])
known = KnownModel(**{**settings, "files": tuple(settings["files"]), "optional": tuple(settings["optional"])})
try:
    print(download(known, Path(sys.argv[2])).endpoint)
except ClipdexError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def write_repository(folder: Path, seed: int = 0) -> Path:
    def data(name: str, size: int) -> bytes:
        return hashlib.shake_128(f"{seed} {name}".encode()).digest(size)

    (folder / "onnx").mkdir(parents=True)
    (folder / IMAGE).write_bytes(data(IMAGE, 2 * HALF))
    (folder / TEXT).write_bytes(data(TEXT, 100_000))
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", "seed": seed}))
    (folder / "tokenizer.json").write_bytes(data("tokenizer", 30_000))
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02a program.")
    (folder / "README.md").write_text("# Small\n")
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("published") / "files")


@pytest.fixture
def hub(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
    with serving({REPOSITORY: published}) as local:
        yield local


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "clip-small"


def pull(hub: LocalHub, folder: Path, known: KnownModel = MODEL, **settings: Any) -> Download:
    return download(known, folder, endpoint=hub.endpoint, **{"limits": LIMITS, **settings})


def refused(hub: LocalHub, folder: Path, known: KnownModel = MODEL, **settings: Any) -> str:
    with pytest.raises(ModelDownloadFailed) as caught:
        pull(hub, folder, known, **settings)
    return str(caught.value)


def wanted(published: Path) -> dict[str, bytes]:
    return {name: (published / name).read_bytes() for name in (*FILES, "tokenizer_config.json")}


def starts(hub: LocalHub, name: str) -> list[int]:
    return [request.start for request in hub.requests if request.path == name]


def run_program(folder: Path, env: dict[str, str], known: KnownModel = MODEL) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", PROGRAM, json.dumps(dataclasses.asdict(known)), str(folder)],
        capture_output=True,
        text=True,
        env={**inherited, **env},
        timeout=60,
        check=False,
    )


def test_a_download_holds_the_files_of_the_list_and_nothing_else(hub: LocalHub, folder: Path, published: Path) -> None:
    pull(hub, folder)
    assert contents(folder) == wanted(published)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["config.json", "onnx", "tokenizer.json", "tokenizer_config.json"]
    )
    assert hub.fetched == set(wanted(published))


def test_a_download_says_where_it_comes_from_and_what_came(hub: LocalHub, folder: Path, published: Path) -> None:
    done = pull(hub, folder)
    assert (done.folder, done.repository, done.endpoint) == (folder, REPOSITORY, hub.endpoint)
    assert done.revision == next(iter(hub.commits[REPOSITORY]))
    assert {name: (record.size, record.sha256) for name, record in done.files.items()} == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in wanted(published).items()
    }


def test_progress_rises_to_the_size_of_all_files(hub: LocalHub, folder: Path, published: Path) -> None:
    seen: list[DownloadProgress] = []
    hub.fault(IMAGE, drop_after=HALF, times=1)
    pull(hub, folder, progress=seen.append)
    total = sum(map(len, wanted(published).values()))
    assert {step.total for step in seen} == {total}
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert seen[-1].done == total
    assert list(dict.fromkeys(step.file for step in seen)) == list(wanted(published))


def test_what_is_there_is_not_fetched_again(hub: LocalHub, folder: Path, published: Path) -> None:
    first = pull(hub, folder)
    hub.forget()
    seen: list[DownloadProgress] = []
    assert pull(hub, folder, progress=seen.append) == first
    assert not hub.fetched
    assert seen[-1].done == seen[-1].total


def test_a_file_that_was_damaged_is_fetched_again(hub: LocalHub, folder: Path, published: Path) -> None:
    pull(hub, folder)
    hub.forget()
    (folder / TEXT).write_bytes(bytes(100_000))
    (folder / "config.json").unlink()
    pull(hub, folder)
    assert contents(folder) == wanted(published)
    assert hub.fetched == {TEXT, "config.json"}


def test_a_dropped_connection_is_taken_up_where_it_broke(hub: LocalHub, folder: Path, published: Path) -> None:
    hub.fault(IMAGE, drop_after=HALF, times=1)
    pull(hub, folder)
    assert contents(folder) == wanted(published)
    assert starts(hub, IMAGE) == [0, HALF]
    assert hub.sent[IMAGE] == 2 * HALF


def test_connections_may_drop_as_often_as_they_like_while_something_comes(
    hub: LocalHub, folder: Path, published: Path
) -> None:
    hub.fault(IMAGE, drop_after=1 << 16)
    pull(hub, folder)
    assert contents(folder) == wanted(published)
    assert hub.sent[IMAGE] == 2 * HALF


def test_a_download_that_gave_up_is_continued_by_the_next_one(hub: LocalHub, folder: Path, published: Path) -> None:
    hub.fault(IMAGE, truncate_to=HALF)
    message = refused(hub, folder)
    assert IMAGE in message and "run the same command again" in message
    assert not (folder / IMAGE).exists()
    hub.mend()
    hub.forget()
    pull(hub, folder)
    assert contents(folder) == wanted(published)
    assert starts(hub, IMAGE) == [HALF]
    assert hub.sent[IMAGE] == HALF
    assert "config.json" not in hub.fetched


def test_an_interrupt_leaves_what_the_next_download_continues(hub: LocalHub, folder: Path, published: Path) -> None:
    def interrupt(step: DownloadProgress) -> None:
        if step.file == IMAGE and step.done > HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(hub, folder, progress=interrupt)
    hub.forget()
    pull(hub, folder)
    assert contents(folder) == wanted(published)
    assert starts(hub, IMAGE)[0] > HALF // 2


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_download_that_was_killed_is_continued(hub: LocalHub, folder: Path, published: Path) -> None:
    hub.fault(IMAGE, delay=0.05)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(dataclasses.asdict(MODEL)), str(folder)],
        env={**os.environ, "HF_ENDPOINT": hub.endpoint},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 30
    while hub.sent[IMAGE] < HALF and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / IMAGE).exists()
    hub.mend()
    hub.forget()
    pull(hub, folder)
    assert contents(folder) == wanted(published)
    assert starts(hub, IMAGE)[0] >= 1 << 16


def test_a_server_that_cannot_continue_is_asked_for_the_whole_file(
    hub: LocalHub, folder: Path, published: Path
) -> None:
    hub.fault(IMAGE, truncate_to=HALF)
    refused(hub, folder)
    hub.fault(IMAGE, whole_only=True)
    seen: list[DownloadProgress] = []
    pull(hub, folder, progress=seen.append)
    assert contents(folder) == wanted(published)
    assert [step.done for step in seen] == sorted(step.done for step in seen)


@pytest.mark.parametrize("name", [IMAGE, "config.json"])
def test_altered_bytes_are_found_deleted_and_fetched_anew(
    hub: LocalHub, folder: Path, published: Path, name: str
) -> None:
    hub.fault(name, alter=True)
    message = refused(hub, folder)
    assert name in message and "not the file that was announced" in message
    assert not (folder / name).exists()
    assert not list(folder.rglob("*.part"))
    hub.mend()
    pull(hub, folder)
    assert contents(folder) == wanted(published)


def test_a_part_that_was_damaged_on_the_disk_is_found(hub: LocalHub, folder: Path, published: Path) -> None:
    hub.fault(IMAGE, truncate_to=HALF)
    refused(hub, folder)
    (part,) = folder.rglob("*.part")
    part.write_bytes(bytes(HALF))
    hub.mend()
    assert "not the file that was announced" in refused(hub, folder)
    pull(hub, folder)
    assert contents(folder) == wanted(published)


def test_a_part_that_is_too_long_is_begun_anew(hub: LocalHub, folder: Path, published: Path) -> None:
    hub.fault(IMAGE, truncate_to=HALF)
    refused(hub, folder)
    (part,) = folder.rglob("*.part")
    part.write_bytes(bytes(3 * HALF))
    hub.mend()
    pull(hub, folder)
    assert contents(folder) == wanted(published)


def test_a_busy_server_is_asked_again(hub: LocalHub, folder: Path, published: Path) -> None:
    hub.fault("api", status=503, times=2)
    hub.fault(IMAGE, status=500, times=2)
    hub.fault(TEXT, status=429, headers={"Retry-After": "0"}, times=1)
    pull(hub, folder)
    assert contents(folder) == wanted(published)


def test_a_server_that_stays_broken_is_given_up(hub: LocalHub, folder: Path) -> None:
    hub.fault(IMAGE, status=500)
    assert "status 500" in refused(hub, folder)
    hub.fault("api", status=502)
    message = refused(hub, folder)
    assert "status 502" in message and "clipdex model add FOLDER --name clip-small" in message


def test_all_files_come_from_one_commit_also_when_the_repository_moves_on(
    hub: LocalHub, folder: Path, published: Path, tmp_path: Path
) -> None:
    later = write_repository(tmp_path / "later", seed=1)
    first = next(iter(hub.commits[REPOSITORY]))

    def move_on(step: DownloadProgress) -> None:
        if len(hub.commits[REPOSITORY]) == 1:
            hub.publish(REPOSITORY, later)

    assert pull(hub, folder, progress=move_on).revision == first
    assert contents(folder) == wanted(published)
    newer = pull(hub, folder)
    assert newer.revision != first
    assert contents(folder) == wanted(later)
    assert pull(hub, folder, dataclasses.replace(MODEL, revision=first)).revision == first
    assert contents(folder) == wanted(published)


def test_parts_of_one_commit_are_not_continued_with_another(
    hub: LocalHub, folder: Path, published: Path, tmp_path: Path
) -> None:
    hub.fault(IMAGE, truncate_to=HALF)
    refused(hub, folder)
    hub.mend()
    later = write_repository(tmp_path / "later", seed=1)
    hub.publish(REPOSITORY, later)
    pull(hub, folder)
    assert contents(folder) == wanted(later)
    assert not (folder / PARTIAL).exists()


def test_a_file_that_is_known_to_be_another_is_refused(hub: LocalHub, folder: Path, published: Path) -> None:
    right = {name: hashlib.sha256(data).hexdigest() for name, data in wanted(published).items()}
    pull(hub, folder, dataclasses.replace(MODEL, sha256=right))
    shutil.rmtree(folder)
    hub.forget()
    message = refused(hub, folder, dataclasses.replace(MODEL, sha256={**right, TEXT: "0" * 64}))
    assert TEXT in message and "this version of clipdex knows" in message
    assert not hub.fetched
    refused(hub, folder, dataclasses.replace(MODEL, sha256={**right, "config.json": "0" * 64}))
    assert not (folder / "config.json").exists()


def test_a_missing_repository_is_named(hub: LocalHub, folder: Path) -> None:
    message = refused(hub, folder, dataclasses.replace(MODEL, repository="someone/else"))
    assert "there is no repository someone/else" in message and "HF_TOKEN" in message


def test_a_missing_revision_is_named(hub: LocalHub, folder: Path) -> None:
    assert "has no revision " + "1" * 40 in refused(hub, folder, dataclasses.replace(MODEL, revision="1" * 40))


def test_missing_files_are_named_before_anything_is_fetched(hub: LocalHub, folder: Path) -> None:
    message = refused(hub, folder, dataclasses.replace(MODEL, files=(*FILES, "preprocessor_config.json")))
    assert message.endswith("does not have preprocessor_config.json.")
    assert not hub.fetched


def test_a_file_that_vanished_from_the_store_is_named(hub: LocalHub, folder: Path) -> None:
    hub.fault(IMAGE, status=404)
    message = refused(hub, folder)
    assert IMAGE in message and "status 404" in message and "clipdex model add" in message


def test_a_repository_that_is_not_open_names_the_token(hub: LocalHub, folder: Path) -> None:
    hub.gate(REPOSITORY, "hf_secret")
    assert "HF_TOKEN" in refused(hub, folder)
    hub.gated.clear()
    hub.fault(IMAGE, status=403)
    assert "HF_TOKEN" in refused(hub, folder)


def test_without_a_server_the_message_says_how_to_do_it_by_hand(folder: Path, hub: LocalHub) -> None:
    began = time.monotonic()
    endpoint = closed_endpoint()
    with pytest.raises(ModelDownloadFailed) as caught:
        download(MODEL, folder, endpoint=endpoint, limits=LIMITS)
    assert time.monotonic() - began < 5
    message = str(caught.value)
    assert endpoint in message
    assert f"https://huggingface.co/{REPOSITORY}/tree/main" in message
    assert all(name in message for name in FILES)
    assert "clipdex model add FOLDER --name clip-small" in message
    assert not folder.exists()


def test_an_address_that_is_no_hub_is_named(hub: LocalHub, folder: Path) -> None:
    hub.fault("api", status=200)
    message = refused(hub, folder)
    assert f"{hub.endpoint} cannot be used as a hub" in message and "clipdex model add" in message


def test_a_pinned_model_is_got_by_hand_from_its_commit() -> None:
    assert f"/tree/{'a' * 40} " in dataclasses.replace(MODEL, revision="a" * 40).by_hand()


def test_sizes_are_bounded_before_anything_is_fetched(hub: LocalHub, folder: Path) -> None:
    assert "too large" in refused(hub, folder, limits=Limits(file=1000))
    assert "too large" in refused(hub, folder, limits=Limits(total=3 * HALF // 2))
    assert not hub.fetched


def test_a_disk_without_room_is_found_before_anything_is_fetched(
    hub: LocalHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(folder.parent.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "has room for 1,000" in refused(hub, folder)
    assert not hub.fetched


def test_a_disk_that_fills_keeps_what_came(
    hub: LocalHub, folder: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(step: DownloadProgress) -> None:
        if step.file == IMAGE and step.done > HALF:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ModelDownloadFailed, match=r"is full\. What came is kept"):
        pull(hub, folder, progress=fill)
    hub.forget()
    pull(hub, folder)
    assert contents(folder) == wanted(published)
    assert starts(hub, IMAGE)[0] > HALF // 2


def test_a_folder_that_cannot_be_made_is_named(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    message = refused(hub, tmp_path / "file" / "model")
    assert str(tmp_path / "file" / "model") in message and "--index" not in message


def test_two_downloads_into_one_folder_do_not_mix(hub: LocalHub, folder: Path) -> None:
    messages: list[str] = []

    def second(step: DownloadProgress) -> None:
        if not messages:
            messages.append(refused(hub, folder))

    pull(hub, folder, progress=second)
    assert "is being written by process" in messages[0]


@pytest.mark.parametrize(
    "name", ["../escape.json", "/escape.json", "onnx/../../escape.json", "..\\escape.json", "C:escape.json", ".", ""]
)
def test_no_name_leads_out_of_the_folder(hub: LocalHub, folder: Path, name: str) -> None:
    assert "no plain name" in refused(hub, folder, dataclasses.replace(MODEL, files=(name,)))
    assert not hub.requests


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt", "weights.pkl", "code.py", "model"])
def test_nothing_that_can_hold_a_program_is_fetched(hub: LocalHub, folder: Path, name: str) -> None:
    assert "hold data only" in refused(hub, folder, dataclasses.replace(MODEL, optional=(name,)))
    assert not hub.requests


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
@pytest.mark.parametrize("name", ["onnx", "config.json", PARTIAL])
def test_nothing_is_written_through_links(hub: LocalHub, folder: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder.mkdir(parents=True)
    (folder / name).symlink_to(outside)
    assert "is a link" in refused(hub, folder)
    assert not list(outside.iterdir())


def test_nothing_is_printed_and_nothing_written_elsewhere(
    hub: LocalHub, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.fault(IMAGE, drop_after=HALF, times=1)
    hub.fault("api", status=503, times=1)
    pull(hub, folder)
    assert capfd.readouterr() == ("", "")
    assert {path.name for path in tmp_path.iterdir()} <= {folder.parent.name, "hf-home"}
    assert not [path for path in (tmp_path / "hf-home").rglob("*") if path.is_file()]


def test_the_variables_of_the_hub_are_honoured(hub: LocalHub, folder: Path, published: Path) -> None:
    hub.gate(REPOSITORY, "hf_secret")
    done = run_program(folder, {"HF_ENDPOINT": f"{hub.endpoint}/", "HF_TOKEN": "hf_secret"})
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{hub.endpoint}\n", "")
    assert contents(folder) == wanted(published)
    # The second server stands for the store of another company.
    stored = [request for request in hub.requests if request.path == IMAGE]
    assert stored and not any("authorization" in request.headers for request in stored)
    assert not [request for request in hub.requests if "agent" in request.path or "telemetry" in request.path]


def test_a_proxy_is_honoured(hub: LocalHub, folder: Path, published: Path) -> None:
    hub.store = "http://store.invalid"
    env = {"HF_ENDPOINT": "http://hub.invalid", "http_proxy": hub.endpoint, "NO_PROXY": "", "no_proxy": ""}
    done = run_program(folder, env)
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(folder) == wanted(published)


def test_the_offline_mode_says_how_to_do_it_by_hand(hub: LocalHub, folder: Path) -> None:
    done = run_program(folder, {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "1"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ModelDownloadFailed: nothing is downloaded, because the variable HF_HUB_OFFLINE")
    assert "clipdex model add FOLDER --name clip-small" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not hub.requests


def test_known_models_can_be_pulled_as_they_are_described() -> None:
    names = [known.name for known in KNOWN]
    assert len(set(names)) == len(names)
    for known in KNOWN:
        assert find_known(known.name) is known
        assert known.layout in ("towers", "transformers", "open_clip")
        assert known.bits % 8 == 0
        assert all(name.endswith(SUFFIXES) for name in (*known.files, *known.optional))
        assert bool(known.seen) == known.verified
        assert set(known.sha256) <= {*known.files, *known.optional}
        assert all(len(bytes.fromhex(checksum)) == 32 for checksum in known.sha256.values())
        assert not known.revision or len(known.revision) == 40
        assert known.licence and known.good_at


def test_a_name_that_is_not_known_lists_those_that_are() -> None:
    with pytest.raises(ModelNotFound, match="clip-vit-b-32"):
        find_known("clip-vit-b-33")
