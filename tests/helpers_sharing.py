"""Compiled towers that the tests of a process share: compiling takes longer than most of them."""

from __future__ import annotations

import functools
import hashlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipdex.encoder import towers
from clipdex.errors import ClipdexError

_MOST_TOWERS = 16
_LARGE = 4 << 20
_COMPILING = {name: getattr(towers, name) for name in ("_compile_cached", "_compile_for_many")}


class _Shared:
    """A compiled model that several towers call, also at the same time.

    All calls share the one request of it: requests that come and go beside another one gave wrong results.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._one_call = threading.Lock()

    def __call__(self, inputs: Any) -> list[np.ndarray]:
        with self._one_call:
            outputs = self._compiled(inputs)
            return [np.array(outputs[number]) for number in range(len(outputs))]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)


def share_compiled_towers(patch: pytest.MonkeyPatch, copies: Path) -> None:
    """Let towers of equal files, run in the same way, share what was compiled of them.

    What is compiled may read the weights from their file later. It is compiled from copies, so that a test may change
    the files of its model.
    """
    kept: OrderedDict[tuple[object, ...], Any] = OrderedDict()
    lock = threading.Lock()

    def sharing(compile_: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(compile_)
        def compiled(path: Path, *rest: Any) -> Any:
            # Of how it is run, only the folder where OpenVINO keeps what it compiles decides nothing.
            *shape, way = rest
            files = [_content(path), _content(path.with_suffix(".bin"))]
            key = (compile_, *files, *shape, way.device, way.precision, way.threads)
            with lock:
                if key not in kept:
                    try:
                        kept[key] = _Shared(compile_(_copied(path, copies), *rest))
                    except (OSError, ClipdexError):
                        # The error is to name the file that was given.
                        return compile_(path, *rest)
                if len(kept) > _MOST_TOWERS:
                    kept.popitem(last=False)
                kept.move_to_end(key)
                return kept[key]

        return compiled

    for name, compile_ in _COMPILING.items():
        patch.setattr(towers, name, sharing(compile_))


def compile_each_tower(patch: pytest.MonkeyPatch) -> None:
    """Share nothing."""
    for name, compile_ in _COMPILING.items():
        patch.setattr(towers, name, compile_)


def _copied(path: Path, copies: Path) -> Path:
    """A tower where no test changes it; one with large weights is only ever replaced, and stays where it is."""
    weights = path.with_suffix(".bin")
    if weights.stat().st_size > _LARGE:
        return path
    folder = copies / hashlib.sha256(path.read_bytes() + weights.read_bytes()).hexdigest()
    if not folder.exists():
        folder.mkdir()
        for file in (path, weights):
            shutil.copyfile(file, folder / file.name)
    return folder / path.name


def _content(path: Path) -> object:
    """What two files have in common when they are equal; None where there is no file."""
    try:
        status = path.stat()
        if status.st_size > _LARGE:
            # Without the time of the last change of its metadata, which a link to it changes, too.
            return status.st_ino, status.st_dev, status.st_size, status.st_mtime_ns
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None
