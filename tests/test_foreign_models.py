"""Models of strangers are data: no library, operation or extension is loaded from their folders."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from clipdex.encoder.towers import Way, _compile_cached
from clipdex.errors import ModelCorrupt
from clipdex.models.conversion.ir import read_tower
from helpers_engine import run_process

# A library that leaves a mark as soon as a process loads it, whatever function is looked for in it.
_LIBRARY = """
#include <stdlib.h>
#include <stdio.h>
__attribute__((constructor)) static void loaded(void) { FILE *f = fopen(getenv("MARK"), "w"); if (f) fclose(f); }
"""
_NAMES = ("libcustom_ops.so", "custom_ops.so", "libopenvino_intel_cpu_plugin.so", "libopenvino_extension.so")
_PLUGINS = """<ie><plugins><plugin name="CPU" location="{0}"/><plugin name="OWN" location="{0}"/></plugins></ie>"""
_IR = """<?xml version="1.0"?>
<net name="evil" version="11">
 <layers>
  <layer id="0" name="pixels" type="Parameter" version="opset1"><data shape="1,3,8,8" element_type="f32"/>
   <output><port id="0" precision="FP32"><dim>1</dim><dim>3</dim><dim>8</dim><dim>8</dim></port></output></layer>
  <layer id="1" name="own" type="Own" version="{0}"><data library="./libcustom_ops.so"/>
   <input><port id="0"><dim>1</dim><dim>3</dim><dim>8</dim><dim>8</dim></port></input>
   <output><port id="1" precision="FP32"><dim>1</dim><dim>8</dim></port></output></layer>
  <layer id="2" name="out" type="Result" version="opset1">
   <input><port id="0"><dim>1</dim><dim>8</dim></port></input></layer>
 </layers>
 <edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
  <edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges>
</net>
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no compiler of C")
    folder = tmp_path_factory.mktemp("library")
    (folder / "mark.c").write_text(_LIBRARY)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "mark.so", folder / "mark.c"], check=True)
    return folder / "mark.so"


@pytest.fixture
def stranger(tmp_path, library, monkeypatch):
    """A folder of models with libraries beside them, which is the current folder, too; the mark is beside it."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    for name in _NAMES:
        shutil.copy(library, folder / name)
    (folder / "plugins.xml").write_text(_PLUGINS.format(folder / _NAMES[0]))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    return folder


def test_the_library_would_leave_its_mark(stranger, tmp_path):
    import ctypes

    ctypes.CDLL(str(stranger / _NAMES[0]))
    assert (tmp_path / "mark").exists()


def own_operation(path):
    """An ONNX file with an operation that only a library of its author has."""
    onnx = pytest.importorskip("onnx")
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = make.make_node("Own", ["pixels"], ["embedding"], domain="of.a.stranger", library="./libcustom_ops.so")
    graph = make.make_graph(
        [node],
        "evil",
        [make.make_tensor_value_info("pixels", kind, [1, 3, 8, 8])],
        [make.make_tensor_value_info("embedding", kind, [1, 8])],
    )
    domains = [make.make_opsetid("", 17), make.make_opsetid("of.a.stranger", 1)]
    onnx.save(make.make_model(graph, opset_imports=domains), str(path))
    return path


@pytest.mark.parametrize("opset", ["opset1", "extension", "custom_opset", "of.a.stranger"])
def test_an_ir_with_an_operation_of_its_own_is_refused_and_loads_nothing(stranger, tmp_path, opset):
    path = stranger / "image.xml"
    path.write_text(_IR.format(opset))
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(ModelCorrupt, match=r"image\.xml"):
        read_tower(path)
    with pytest.raises(ModelCorrupt, match=r"image\.xml"):
        _compile_cached(path, Way(cache=tmp_path / "cache"))
    assert not (tmp_path / "mark").exists()


def test_an_onnx_file_with_an_operation_of_its_own_is_refused_and_loads_nothing(stranger, tmp_path):
    path = own_operation(stranger / "image.onnx")
    with pytest.raises(ModelCorrupt, match=r"image\.onnx"):
        _compile_cached(path, Way())
    assert not (tmp_path / "mark").exists()


def test_the_program_loads_no_library_of_a_folder_that_it_is_given_as_a_model_or_stands_in(stranger, tmp_path):
    own_operation(stranger / "image.onnx")
    own_operation(stranger / "text.onnx")
    (stranger / "tokenizer.json").write_text("{}")
    words = (
        "--image-model",
        "image.onnx",
        "--text-model",
        "text.onnx",
        "--tokenizer",
        "tokenizer.json",
        "--name",
        "evil",
    )
    added = run_process("model", "add", *words, cwd=stranger)
    assert added.code == 1, added.err
    assert "Traceback" not in added.err
    # The bundled model runs, with the device that OpenVINO brings and not the one that the folder has.
    assert run_process("model", "verify", "starter", cwd=stranger).code == 0
    assert not (tmp_path / "mark").exists()
