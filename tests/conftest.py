from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clipdex import build
from clipdex.encoder import Encoder, find_model
from clipdex_cli.main import run
from helpers_engine import PHOTOS, Ran, make_folder

ODD_NAMES = (
    "train/cat/a.png",
    "train/cat/new\nline.png",
    "train/dog/comma, and 'quote\".png",
    "val/dog/a.png",
    "val/猫/ünï code.png",
    "loose.png",
)


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test see, or write to, the home of the user."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home / "state"))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "CLIPDEX_HOME", "CLIPDEX_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example photos with their index. Not to be changed: take ``photos_copy`` for that."""
    root = tmp_path_factory.mktemp("examples") / "photos"
    shutil.copytree(PHOTOS, root, ignore=shutil.ignore_patterns(".clipdex"))
    build(root)
    return root


@pytest.fixture
def photos_copy(photos: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(photos, tmp_path / "photos"))


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small pictures in subsets, with names that are awkward to print. Not to be changed."""
    root = make_folder(tmp_path_factory.mktemp("small") / "odd", *ODD_NAMES)
    build(root)
    return root


@pytest.fixture
def odd_copy(odd: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(odd, tmp_path / "odd"))


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return Encoder(find_model(None))


@pytest.fixture
def cli(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run a command line in this process, in an empty folder; whatever it raises is a defect."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run_here(*arguments: str | Path) -> Ran:
        capfdbinary.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        return Ran(code, out, err.decode(errors="replace"))

    return run_here
