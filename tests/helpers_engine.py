"""What the tests of the engine and the command line share: pictures, folders of them, models, and running commands."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipdex.encoder import find_model
from clipdex_indexes import Index

REPOSITORY = Path(__file__).resolve().parent.parent
PHOTOS = REPOSITORY / "examples" / "photos"
STARTER_MODEL = find_model(None)
STARTER = STARTER_MODEL.folder


def skip_without(*packages: str) -> None:
    """Skip the module that is being imported where a package is not installed; none of them is imported here."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed", allow_module_level=True)


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A soft picture of many colours, another one for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def solid(colour: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> Image.Image:
    return Image.new("RGB", size, colour)


def make_folder(root: Path, *names: str, seed: int = 0) -> Path:
    """A folder of different pictures with these names."""
    root.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix.lower()
        picture(seed + number).save(path, "JPEG" if suffix in (".jpg", ".jpeg") else "PNG")
    return root


def claim_size(path: Path, width: int, height: int) -> Path:
    """A PNG of a few bytes whose header says that it is this large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


def touch_later(path: Path) -> None:
    """Give a file a modification time that is certainly another one."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def every_file(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Contents and modification times of all files below a folder, but for the lock of a writer."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (data, _) in every_file(folder).items()}


def temporary_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".tmp-")]


def rows_and_keys(folder: Path) -> list[tuple[Any, bytes]]:
    """Everything an index holds, in item order."""
    with Index(folder) as index:
        return [(row, index.key(location).tobytes()) for location, row in index.items()]


def distance(one: bytes, other: bytes) -> int:
    return bin(int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).count("1")


@functools.cache
def _model_to_link_to() -> Path:
    """A copy of the bundled model for this process: a link to a file is a change of that file, after a check of it."""
    folder = Path(tempfile.mkdtemp(prefix="clipdex-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(shutil.copytree(STARTER, folder / STARTER.name))


def copy_model(folder: Path, edit: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """A copy of the bundled model; its large files are links, so replace and never edit them."""
    folder.mkdir(parents=True)
    for source in _model_to_link_to().iterdir():
        target = folder / source.name
        if source.stat().st_size < 1_000_000:
            shutil.copy(source, target)
            continue
        try:
            os.link(source, target)
        except OSError:
            shutil.copy(source, target)
    if edit is not None:
        path = folder / "model.json"
        description = json.loads(path.read_text(encoding="utf-8"))
        edit(description)
        path.write_text(json.dumps(description), encoding="utf-8")
    return folder


def renamed_model(folder: Path, name: str) -> Path:
    return copy_model(folder, lambda description: description.update(name=name))


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out.decode("utf-8"))

    @property
    def lines(self) -> list[str]:
        return self.out.decode("utf-8").splitlines()

    @property
    def ids(self) -> list[str]:
        return [hit["id"] for hit in self.json["hits"]]


def run_process(*arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ran:
    """Run the command line as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "clipdex_cli", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
