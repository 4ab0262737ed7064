from __future__ import annotations

import json
import subprocess
import sys

import pytest

from clipdex import Explorer
from clipdex.extras import optional

HEAVY = [
    "openvino",
    "faiss",
    "numpy",
    "PIL",
    "tokenizers",
    "rich",
    "starlette",
    "uvicorn",
    "jinja2",
    "clipdex_web",
    "mcp",
]


# What queries may import beside clipdex, click, NumPy and the standard library.
PACKAGES = {
    "item": set(),
    "text": {"openvino", "tokenizers"},
    "image": {"openvino", "PIL", "defusedxml"},
}
# What is large in the standard library, and what an item query needs none of in clipdex: how images are read, hashed
# and saved, which formats there are, how an index is written, what projects are.
NOT_FOR_ITEMS = {
    *("asyncio", "concurrent.futures", "csv", "difflib", "email", "http", "importlib.metadata", "logging", "shutil"),
    *("tempfile", "tomllib", "xml", "zipfile"),
    *("clipdex.building", "clipdex.encoder.encoder", "clipdex.encoder.towers", "clipdex.mapping", "clipdex.models"),
    *("clipdex.media.decoding", "clipdex.projects.model", "clipdex.readers.base", "clipdex.readers.formats"),
    *("clipdex.report.save", "clipdex.search.duplicates_result", "clipdex.search.histogram", "clipdex_indexes.writer"),
    *("clipdex_indexes.kernels.costs", "clipdex_indexes.storage.columns", "clipdex_indexes.storage.verifying"),
}


def modules_of(code: str) -> set[str]:
    """Run code in a new process and return the names of the modules it has imported."""
    report = "\nimport sys, json; sys.stderr.write('\\n' + json.dumps([m for m in sys.modules if sys.modules[m]]))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def imported_by(code: str) -> set[str]:
    """Run code in a new process and return the names of the top-level modules it has imported."""
    return {module.partition(".")[0] for module in modules_of(code)}


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
        command("map", "--help"),
        command("project", "--help"),
        command("project", "run", "--help"),
        command("formats", "--help"),
        command("view", "--help"),
        command("serve", "--help"),
        command("mcp", "--help"),
    ],
)
def test_help_and_plain_imports_load_nothing_heavy(code):
    assert not imported_by(code) & set(HEAVY)


@pytest.mark.parametrize("kind", PACKAGES)
@pytest.mark.parametrize("output", ["table", "json"])
def test_a_query_loads_only_the_packages_of_its_kind(photos, kind, output):
    value = {"item": "plants/dahlia", "text": "a dog", "image": str(photos / "food" / "fig.jpg")}[kind]
    before = "import sys; sys.modules['openvino.tools.ovc'] = None\n"  # as the program does
    loaded = imported_by(before + command("query", str(photos), f"--{kind}", value, "--output", output))
    anyway = imported_by("import click, numpy")
    ours = {"clipdex", "clipdex_cli", "clipdex_indexes"}
    packages = loaded - anyway - ours - set(sys.stdlib_module_names)
    assert {name for name in packages if not name.startswith("_")} - {"defusedxml"} == PACKAGES[kind] - {"defusedxml"}


def test_an_image_that_is_not_there_loads_no_tower(photos):
    code = f"from clipdex_cli.main import run\nassert run(['query', {str(photos)!r}, '--image', 'no.jpg']) == 1"
    assert "openvino" not in imported_by(code)


def test_an_item_query_loads_little_of_clipdex_and_of_the_standard_library(photos):
    anyway = modules_of("import click, numpy")
    loaded = modules_of(command("query", str(photos), "--item", "plants/dahlia"))
    assert not (loaded - anyway) & NOT_FOR_ITEMS


def test_a_search_of_many_keys_loads_faiss_and_one_of_few_does_not():
    code = """
import sys
import numpy as np
from clipdex_indexes.kernels.hamming import nearest
keys = np.zeros((1 << 20, 8), np.uint8)
nearest([keys[:1000]], keys[:1], 5)
assert "faiss" not in sys.modules
nearest([keys], keys[:1], 5)
"""
    assert "faiss" in imported_by(code)


def test_a_build_with_nothing_to_do_and_info_load_no_encoder(photos):
    for name in ("build", "info"):
        assert not imported_by(command(name, str(photos))) & {"openvino", "tokenizers", "rich"}


def test_a_kept_map_needs_no_layout_no_encoder_and_no_template(photos_copy, tmp_path):
    pytest.importorskip("openTSNE")
    with Explorer(photos_copy) as explorer:
        explorer.map()
    loaded = imported_by(command("map", str(photos_copy), "-o", str(tmp_path / "map.csv"), "-q"))
    assert not loaded & {"openvino", "jinja2", "openTSNE", "sklearn", "scipy", "rich"}


def test_an_image_query_loads_no_tokenizer(photos):
    image = photos / "food" / "fig.jpg"
    loaded = imported_by(command("query", str(photos), "--image", str(image), "--output", "paths"))
    assert "openvino" in loaded
    assert not loaded & {"tokenizers", "rich"}


def test_a_text_query_loads_no_client_of_telemetry_and_leaves_none_of_its_files(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded = imported_by(f"from clipdex import Explorer; Explorer({str(photos)!r}).explore_topk('a dog')")
    assert "openvino" in loaded
    assert "openvino_telemetry" not in loaded
    assert not (tmp_path / "intel").exists()


def test_packages_of_extras_do_not_find_the_client_of_telemetry_when_they_are_imported(tmp_path, monkeypatch):
    (tmp_path / "reporting.py").write_text(
        "try:\n    import openvino_telemetry\nexcept ImportError:\n    reports = False\nelse:\n    reports = True\n"
    )
    (tmp_path / "openvino_telemetry.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    try:
        assert optional("reporting", "an extra", "A test").reports is False
        assert "openvino_telemetry" not in sys.modules
    finally:
        sys.modules.pop("reporting", None)


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
extras = ["torch", "transformers", "open_clip", "safetensors", "pyarrow", "datumaro", "nncf", "pandas", "openTSNE"]
extras.append("mcp")
sys.modules.update(dict.fromkeys(extras))
import clipdex, clipdex_cli, clipdex_indexes, clipdex_web
for package in (clipdex, clipdex_cli, clipdex_indexes, clipdex_web):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""
    assert {"clipdex", "clipdex_cli", "clipdex_indexes", "clipdex_web"} <= imported_by(code)
