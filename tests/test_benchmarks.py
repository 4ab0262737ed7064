from __future__ import annotations

import importlib.util
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clipdex.encoder.devices import CPU, precisions
from helpers_browser import CHROMIUM
from helpers_engine import REPOSITORY

BENCHMARKS = REPOSITORY / "benchmarks"
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem != "common")
WITH_USEARCH = importlib.util.find_spec("usearch") is not None
WITH_PYARROW = importlib.util.find_spec("pyarrow") is not None
WITH_BF16 = "bf16" in precisions(CPU)
# What is compared with in each script, beside what clipdex needs.
NEEDS = {
    "eight_bits": ["nncf"],
    "page": ["playwright"],
    "formats": ["datumaro"],
    "map": ["openTSNE"],
    "models": ["torch", "transformers", "safetensors", "nncf", "onnx", "onnxruntime"],
}
NUMBER = re.compile(r"\d")
NO_NUMBER = re.compile(r"\b(nan|inf|none)\b", re.IGNORECASE)

# The tables of each script, in order: the title of the first column and the number of rows.
TABLES: dict[str, list[tuple[str, int]]] = {
    "build_rate": [("way", 5), ("from", 8 if WITH_PYARROW else 6)],
    "centring": [
        ("centres", 7),
        ("views", 4),
        ("mean ± deviation of 2", 3),
        ("centres", 3),
        ("centres", 3),
    ],
    "draft": [("margin", 6), ("margin", 6), ("margin", 6)],
    "duplicates": [("keys", 4), ("keys", 8), ("keys in a series", 1), ("hashing", 2)],
    "eight_bits": [("level", 3), ("P@10, Hamming", 2)],
    "formats": [("way", 7), ("way", 2), ("way", 2), ("way", 2)],
    "incremental": [("way", 6), ("index", 2)],
    "looking": [("way", 10)],
    "map": [("keys, way", 2)],
    "merging": [
        ("one text, one image, first 20", 4),
        ("two queries of one class, P@20", 15),
        ("text for many classes, one of them negative, first 50", 7),
    ],
    "models": [
        ("way", 7 if WITH_BF16 else 5),
        ("model and precision", 4 if WITH_BF16 else 1),
        ("precision", 2 if WITH_BF16 else 1),
        ("stage", 9),
    ],
    "page": [("what", 8)] if CHROMIUM else [],
    "process_time": [
        ("process", 9),
        ("stage of the item query", 6),
        ("stage of the text query", 10),
        ("stage of the image query", 9),
    ],
    "quality": [("starter, 512 bits", 8)],
    "questions": [("question, starter", 2)],
    "strength": [("best hits by starter", 4), ("text, n images are worth", 3)],
    "search": [
        ("kernel", 12),
        ("way", 8 if WITH_USEARCH else 7),
        ("way", 7 if WITH_USEARCH else 6),
        ("way", 6 if WITH_USEARCH else 5),
        ("way", 4),
        ("way", 4),
        ("way", 3),
        ("list", 3),
        ("stage", 4),
        ("process", 1),
        ("segments", 3),
    ],
}


@dataclass(frozen=True)
class Table:
    header: list[str]
    rows: list[list[str]]


def tables(text: str) -> list[Table]:
    """Return the Markdown tables of a text."""
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
    found = []
    for block in blocks:
        header, _, *rows = [
            [cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.strip().splitlines()
        ]
        found.append(Table(header, rows))
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What OpenVINO compiled is kept for all scripts."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run_tiny(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """Run a script with ``--tiny`` in this process; return what it prints."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = set(sys.modules)

    def run(script: str, *arguments: str) -> str:
        path = BENCHMARKS / f"{script}.py"
        monkeypatch.setattr(sys, "argv", [str(path), "--tiny", *arguments])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    yield run
    for name in set(sys.modules) - before:
        if name in SCRIPTS or name == "common":
            del sys.modules[name]


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_benchmark_prints_all_its_tables(script: str, run_tiny: Callable[..., str]):
    for package in NEEDS.get(script, []):
        pytest.importorskip(package)
    found = tables(run_tiny(script))
    assert [(table.header[0], len(table.rows)) for table in found] == TABLES[script]
    for table in found:
        for row in table.rows:
            assert len(row) == len(table.header)
            assert any(NUMBER.search(cell) for cell in row[1:]), row
            assert not any(NO_NUMBER.search(cell) for cell in row[1:]), row


@pytest.mark.parametrize(
    ("script", "parts", "packages", "expected"),
    [
        ("formats", [], ["datumaro"], [("way", 2)] * 4),
        ("models", ["--parts", "bits"], ["torch"], [("model and precision", 1)] if WITH_BF16 else []),
        ("models", ["--parts", "rate"], ["nncf", "onnxruntime"], [("way", 3 if WITH_BF16 else 2)]),
    ],
)
def test_packages_that_are_not_installed_are_named_and_not_compared(
    script: str,
    parts: list[str],
    packages: list[str],
    expected: list[tuple[str, int]],
    run_tiny: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
):
    if "nncf" in packages:
        pytest.importorskip("torch")
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)  # cannot be imported
    text = run_tiny(script, *parts)
    for package in packages:
        assert f"{package} is not installed, and not compared." in text
    assert [(table.header[0], len(table.rows)) for table in tables(text)] == expected


def test_quality_gives_average_precisions_where_images_have_several_labels(
    tmp_path: Path, run_tiny: Callable[..., str]
):
    (tmp_path / "data.yaml").write_text("train: images/train\nnames: [dog, cat, animal]\n", encoding="utf-8")
    shown = {"german-shepherd": "02", "dogs-at-the-window": "02", "horses": "2", "sea": ""}
    for name, labels in shown.items():
        (photo,) = (REPOSITORY / "examples" / "photos").rglob(f"{name}.jpg")
        image, text = (
            tmp_path / kind / "train" / f"{name}{end}" for kind, end in (("images", ".jpg"), ("labels", ".txt"))
        )
        for path in (image, text):
            path.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(photo.read_bytes())
        text.write_text("".join(f"{label} 0.5 0.5 1 1\n" for label in labels), encoding="utf-8")
    (table,) = tables(run_tiny("quality", str(tmp_path)))
    # Dogs and cats are on too few images. All animals come before the sea.
    assert [row[0] for row in table.rows] == [f"{tmp_path.name}: mean of 1 class", "animal"]
    assert table.header[1:] == ["hamming", "float", "asymmetric", "rescored", "chance"]
    assert table.rows[1][1:] == ["1.000", "1.000", "1.000", "1.000", "0.750"]
