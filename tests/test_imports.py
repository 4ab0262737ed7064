from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["openvino", "faiss", "numpy", "PIL", "tokenizers", "rich"]


def imported_by(code: str) -> set[str]:
    """Run code in a new process and return the names of the top-level modules it has imported."""
    report = (
        "\nimport sys, json; sys.stderr.write('\\n' + json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def command(*arguments: str) -> str:
    return f"from clipdex_cli.main import run\nassert run({list(arguments)!r}) == 0"


@pytest.mark.parametrize(
    "code",
    [
        "import clipdex",
        "import clipdex_indexes",
        "import clipdex_cli.main",
        "from clipdex.errors import ClipdexError",
        command("--help"),
        command("--version"),
        command("query", "--help"),
        command("build", "--help"),
        command("save", "--help"),
        command("info", "--help"),
        command("explore", "--help"),
        command("merge", "--help"),
        command("project", "--help"),
        command("project", "run", "--help"),
        command("formats", "--help"),
    ],
)
def test_help_and_plain_imports_load_nothing_heavy(code):
    assert not imported_by(code) & set(HEAVY)


def test_an_item_query_loads_no_encoder(photos):
    loaded = imported_by(command("query", str(photos), "--item", "plants/dahlia", "--output", "json"))
    assert not loaded & {"openvino", "tokenizers", "rich"}
    assert "faiss" in loaded


def test_a_build_with_nothing_to_do_and_info_load_no_encoder(photos):
    for name in ("build", "info"):
        assert not imported_by(command(name, str(photos))) & {"openvino", "tokenizers", "rich"}


def test_an_image_query_loads_no_tokenizer(photos):
    image = photos / "food" / "fig.jpg"
    loaded = imported_by(command("query", str(photos), "--image", str(image), "--output", "paths"))
    assert "openvino" in loaded
    assert not loaded & {"tokenizers", "rich"}


@pytest.mark.parametrize(
    "code",
    [
        "from clipdex import Explorer; Explorer({photos!r}).explore_topk('a dog')",
        "from clipdex.extras import optional; optional('nncf', 'quantize', 'A test')",
        "from clipdex.extras import optional; optional('datumaro', 'datumaro', 'A test')",
    ],
)
def test_nothing_loads_a_client_of_telemetry_or_leaves_its_files(photos, tmp_path, monkeypatch, code):
    if "optional" in code:
        pytest.importorskip("nncf" if "nncf" in code else "datumaro")
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded = imported_by(code.format(photos=str(photos)))
    assert "openvino_telemetry" not in loaded
    assert not (tmp_path / "intel").exists()


def test_public_names_can_be_imported():
    import clipdex
    import clipdex_indexes

    for package in (clipdex, clipdex_indexes):
        for name in package.__all__:
            assert getattr(package, name) is not None
        with pytest.raises(AttributeError, match="nonsense"):
            package.nonsense  # noqa: B018


def test_every_module_can_be_imported_without_the_packages_of_extras():
    code = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(["torch", "transformers", "open_clip", "safetensors", "pyarrow", "datumaro", "nncf"]))
import clipdex, clipdex_cli, clipdex_indexes
for package in (clipdex, clipdex_cli, clipdex_indexes):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""
    assert {"clipdex", "clipdex_cli", "clipdex_indexes"} <= imported_by(code)
