"""What all tests share, and how they stay fast.

Whatever is slow is done once for many tests: towers are compiled once a process (``helpers_sharing``), what is kept of
the bundled model is linked into the home folder of each test, indexes that nobody changes are session fixtures
(``photos``, ``odd``) and are copied where they are changed, added models are centred with a few photographs
(``quick_centres``), no file is synced to disk, and temporary files are in memory where there is enough. A test of these
things themselves takes ``nothing_kept`` or ``all_to_centre_with``. Libraries that take seconds to import are imported
by the tests that use them, and those tests run one after the other, so that few processes import them. How many cases
are tried stands in ``helpers_amounts``: ``make test`` tries few, and ``make test-long``, which is run before a release,
tries many, with models in their full size. A test starts a process only where it is about processes, and asserts
nothing about time.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from clipdex import build
from clipdex.encoder import Encoder, find_model
from clipdex.encoder.checks import model_cache
from clipdex.models.conversion import centring
from clipdex_cli.main import run
from helpers_amounts import CENTRING_NOUNS, CENTRING_PHOTOS, MADE_UP_ITEMS
from helpers_browser import chromium, entered, write_made_up
from helpers_engine import PHOTOS, STARTER_MODEL, Ran, make_folder
from helpers_sharing import compile_each_tower, share_compiled_towers
from helpers_web import Served, served

CALIBRATION_FOLDER = centring.CALIBRATION_FOLDER
ODD_NAMES = (
    "train/cat/a.png",
    "train/cat/new\nline.png",
    "train/dog/comma, and 'quote\".png",
    "val/dog/a.png",
    "val/猫/ünï code.png",
    "loose.png",
)

# Tests that import the same heavy libraries, in the order in which they are run, before all others.
HEAVY = (
    "test_parity",
    "test_pull",
    "test_adding",
    "test_cli_models",
    "test_datumaro",
    "test_import_datumaro",
    "test_map",
    "test_browser",
)

# What the tests of a long run need at the same time is less than this.
ENOUGH_MEMORY = 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Let temporary files be in memory, where there is enough: most tests write many small ones."""
    memory = Path("/dev/shm")
    if config.option.basetemp is not None or "TMPDIR" in os.environ or not os.access(memory, os.W_OK):
        return
    if shutil.disk_usage(memory).free >= ENOUGH_MEMORY:
        os.environ["TMPDIR"] = str(memory)
        tempfile.tempdir = None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that import the same libraries together: a process is given a run of tests, and few take part of it."""

    def order(item: pytest.Item) -> int:
        return next((n for n, start in enumerate(HEAVY) if item.path.name.startswith(start)), len(HEAVY))

    items.sort(key=order)


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names for the home folders of the tests of this process, of which each is deleted after its test."""
    root = tmp_path_factory.mktemp("homes")
    return (root / str(number) for number in itertools.count())


@pytest.fixture(scope="session")
def _kept_of_the_starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What clipdex keeps of the bundled model, for all processes of this run: compiled towers, and notes of checks."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kept-of-the-starter"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _shared_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the tests of this process share what is slow and of which they see nothing."""
    with pytest.MonkeyPatch.context() as patch:
        share_compiled_towers(patch, tmp_path_factory.mktemp("towers"))
        # What a test wrote outlives the test, and not a power failure: a sync takes longer than the rest of a commit.
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(autouse=True)
def _own_state(_homes: Iterator[Path], _kept_of_the_starter: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no test see, or write to, the home of the user."""
    home = next(_homes)
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home / "state"))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "CLIPDEX_HOME", "CLIPDEX_MODEL"):
        monkeypatch.delenv(name, raising=False)
    kept = model_cache(STARTER_MODEL)
    kept.parent.mkdir(parents=True)
    # Where links are not allowed, each test compiles the model anew.
    with contextlib.suppress(OSError):
        kept.symlink_to(_kept_of_the_starter, target_is_directory=True)
    yield
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def nothing_kept(_own_state: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is kept of any model, as where clipdex is new; returns the folder where it will be."""
    compile_each_tower(monkeypatch)
    folder = model_cache(STARTER_MODEL).parent
    shutil.rmtree(folder)
    return folder


@pytest.fixture(scope="session")
def _few_to_centre_with(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the packaged one of photographs and nouns that models are centred with, but smaller."""
    folder = tmp_path_factory.mktemp("centring")
    kinds = itertools.groupby(centring.packaged_photos(), key=lambda path: path.parent.name)
    for kind, photos in kinds:
        (folder / kind).mkdir()
        for photo in itertools.islice(photos, CENTRING_PHOTOS.now):
            shutil.copy(photo, folder / kind)
    nouns = centring.packaged_nouns()[: CENTRING_NOUNS.now]
    (folder / "nouns.txt").write_text("\n".join(nouns) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def quick_centres(_few_to_centre_with: Path) -> Iterator[None]:
    """Let models that are added be centred with a few photographs and nouns: that is most of what adding takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(centring, "CALIBRATION_FOLDER", _few_to_centre_with)
        yield


@pytest.fixture
def all_to_centre_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the packaged photographs and nouns, after all."""
    monkeypatch.setattr(centring, "CALIBRATION_FOLDER", CALIBRATION_FOLDER)


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
def site(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real server of the example photos, for all tests of this process."""
    with served(tmp_path_factory.mktemp("served"), photos) as running:
        yield running


@pytest.fixture(scope="session")
def web(site: Served) -> Iterator[httpx.Client]:
    """A client of ``site`` that may ask everything."""
    with site.client() as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A real browser, for all tests of this process."""
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: object, site: Served) -> Iterator[object]:
    """The first page of ``site`` in the browser, without a complaint to the end of the test."""
    with entered(browser, site) as opened:
        yield opened


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of many made-up items without image files."""
    root = write_made_up(tmp_path_factory.mktemp("large") / "large", MADE_UP_ITEMS.now)
    with served(tmp_path_factory.mktemp("served-large"), root) as running:
        while running.site.collection.facets() is None:  # a page does not wait for long until they are counted
            pass
        yield running


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


@pytest.fixture
def deny() -> Iterator[Callable[[Path], None]]:
    """Refuse to list a folder, as without permission (which does not stop root), until the folder is deleted."""
    with pytest.MonkeyPatch.context() as patch:

        def denied(folder: Path) -> None:
            real = os.scandir

            def scandir(path: str | Path) -> Iterator[os.DirEntry[str]]:
                if os.fspath(path).rstrip(os.sep) == os.fspath(folder):
                    raise PermissionError(13, "Permission denied", os.fspath(path))
                return real(path)

            patch.setattr(os, "scandir", scandir)

        denied.lift = patch.undo  # type: ignore[attr-defined]
        yield denied
