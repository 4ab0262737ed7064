"""Converting exported towers to the form of a model folder, as OpenVINO IR.

An image tower takes uint8 pixels ``[n, side, side, 3]`` and normalises them itself. A text tower takes int64
``input_ids`` ``[n, length]`` and, where it needs one, an ``attention_mask``. Both give unit embeddings, float32
``[n, d]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipdex.encoder.devices import CPU, EXACT, core
from clipdex.encoder.model import ImageSettings
from clipdex.encoder.runtime import openvino as ov
from clipdex.errors import ModelCorrupt, ModelUnsupported

# The usual names of the embedding in exported towers, best known first. ``pooler_output`` is the embedding of SigLIP,
# but in CLIP it is the value before the projection, which is useless.
_SHARED = ("embedding", "image_embeds", "text_embeds", "image_features", "text_features", "image_embedding")
_POOLED = "pooler_output"
_MASK = "attention_mask"
_INTEGERS = ("i64", "i32", "u64", "u32")
_MOST_BITS = 8192


def read_tower(path: Path) -> Any:  # noqa: ANN401
    """Read an ONNX file or an IR as an ``openvino.Model``.

    Raises
    ------
    ModelCorrupt
        When the file is neither, or is damaged.
    """
    try:
        return core().read_model(str(path))
    except RuntimeError as error:
        raise ModelCorrupt(f"OpenVINO cannot read {path}: {_last_line(error)}") from error


def image_tower(model: Any, settings: ImageSettings, what: str, *, pooled: bool = False) -> Any:  # noqa: ANN401
    """Make an image tower from a model that takes normalised pixels.

    Parameters
    ----------
    model
        ``openvino.Model`` with one input of four dimensions (float32, NCHW or NHWC). The embedding must not depend on
        other inputs.
    settings
        Side, mean and standard deviation.
    what
        The source of the model, for messages.
    pooled
        Whether ``pooler_output`` can be the embedding.

    Raises
    ------
    ModelUnsupported
        When the model has no such input, or no embedding.
    """
    pixels = _single(model, 4, ("pixel_values", "pixels", "image"), f"{what}: an image tower takes one array of images")
    embedding = _embedding(model, "image", what, pooled=pooled)
    _require_only([pixels], model, embedding, what)
    shape = pixels.get_partial_shape()
    last = shape[3].is_static and shape[3].get_length() == 3 and shape[1] != ov.Dimension(3)
    _require_side(shape[1] if last else shape[2], settings.size, what)
    tower = ov.Model([_unit(embedding)], [pixels], "image")
    side = settings.size
    batch = shape[0].get_length() if shape[0].is_static else -1
    try:
        tower.reshape([-1, side, side, 3] if last else [-1, 3, side, side])
        if batch > 0 and not _takes_any_batch(tower):
            if batch > 1:
                raise ModelUnsupported(
                    f"{what} takes {batch} images at once and no other number: export it for any number, or for one."
                )
            tower.reshape([1, side, side, 3] if last else [1, 3, side, side])
    except RuntimeError as error:
        raise ModelUnsupported(f"{what} does not take images of {side} pixels: {_last_line(error)}") from error
    return take_pixels(tower, settings, "NHWC" if last else "NCHW")


def take_pixels(tower: Any, settings: ImageSettings, layout: str = "NCHW") -> Any:  # noqa: ANN401
    """Change the input of a tower from normalised pixels in ``layout`` to uint8 pixels ``[n, side, side, 3]``."""
    element_type = tower.inputs[0].get_element_type()
    steps = ov.preprocess.PrePostProcessor(tower)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout(layout))
    chain = steps.input().preprocess().convert_element_type(ov.Type.f32)
    chain.mean([255 * channel for channel in settings.mean])
    chain.scale([255 * channel for channel in settings.std])
    if element_type != ov.Type.f32:
        chain.convert_element_type(element_type)
    return _named(steps.build(), {0: "pixels"})


def text_tower(model: Any, what: str, *, length: int | None, pooled: bool = False) -> Any:  # noqa: ANN401
    """Make a text tower from a model that takes tokens.

    Parameters
    ----------
    model
        ``openvino.Model`` with one input of integers ``[n, length]`` and optionally an ``attention_mask``. The
        embedding must not depend on other inputs.
    what
        The source of the model, for messages.
    length
        The number of tokens to which every text is padded; None where texts are not padded.
    pooled
        Whether ``pooler_output`` can be the embedding.

    Raises
    ------
    ModelUnsupported
        When the model has no such input, or no embedding.
    """
    embedding = _embedding(model, "text", what, pooled=pooled)
    masks = [parameter for parameter in model.get_parameters() if _has_name(parameter, _MASK)]
    ids = _single(model, 2, ("input_ids", "text", "tokens"), f"{what}: a text tower takes one array of tokens", masks)
    needed = _parameters_of(embedding)
    masks = [mask for mask in masks if mask.get_name() in needed]
    _require_only([ids, *masks], model, embedding, what)
    types = [parameter.get_element_type() for parameter in (ids, *masks)]
    if any(kind.get_type_name() not in _INTEGERS for kind in types):
        raise ModelUnsupported(f"{what} takes tokens as {types[0].get_type_name()}, and not as whole numbers.")
    tower = ov.Model([_unit(embedding)], [ids, *masks], "text")
    shape = [-1, -1] if length is None else [1, length]
    try:
        tower.reshape(dict.fromkeys(range(1 + len(masks)), ov.PartialShape(shape)))
    except RuntimeError as error:
        raise ModelUnsupported(f"{what} does not take texts of {length} tokens: {_last_line(error)}") from error
    steps = ov.preprocess.PrePostProcessor(tower)
    for number in range(1 + len(masks)):
        steps.input(number).tensor().set_element_type(ov.Type.i64)
    return _named(steps.build(), dict(enumerate(["input_ids", _MASK][: 1 + len(masks)])))


def fixed_length(model: Any) -> int | None:  # noqa: ANN401
    """Return the fixed number of tokens of an exported text tower; None where it takes any number."""
    for parameter in model.get_parameters():
        shape = parameter.get_partial_shape()
        integer = parameter.get_element_type().get_type_name() in _INTEGERS
        if integer and shape.rank.is_static and len(shape) == 2 and shape[1].is_static:
            return int(shape[1].get_length())
    return None


def side_of(model: Any, what: str) -> int:  # noqa: ANN401
    """Return the side, in pixels, of the input images of an exported tower.

    Raises
    ------
    ModelUnsupported
        When the tower has no fixed image size.
    """
    for parameter in model.get_parameters():
        shape = parameter.get_partial_shape()
        if shape.rank.is_static and len(shape) == 4:
            side = shape[1] if shape[3] == ov.Dimension(3) else shape[2]
            if side.is_static:
                return int(side.get_length())
    raise ModelUnsupported(f"{what} does not say how large its images are: put its preprocessor_config.json beside it.")


def takes_one_image(tower: Any) -> bool:  # noqa: ANN401
    """Tell whether an image tower takes exactly one image at a time."""
    return bool(tower.inputs[0].get_partial_shape()[0].is_static)


def embedding_size(tower: Any, what: str) -> int:  # noqa: ANN401
    """Return the number of dimensions of the embedding of a tower.

    Raises
    ------
    ModelUnsupported
        When the number is not known, or not a multiple of 8.
    """
    size = tower.outputs[0].get_partial_shape()[1]
    if not size.is_static:
        raise ModelUnsupported(f"{what} does not say how many dimensions its embedding has.")
    bits = int(size.get_length())
    if bits % 8 or not 8 <= bits <= _MOST_BITS:
        raise ModelUnsupported(
            f"{what} gives embeddings of {bits} dimensions; a hash key needs a multiple of 8, up to {_MOST_BITS}."
        )
    return bits


def save_tower(tower: Any, path: Path) -> None:  # noqa: ANN401
    """Write a tower as IR: ``path`` (.xml) and the weights beside it (.bin). Equal towers give equal bytes."""
    # OpenVINO numbers the names of nodes over the whole life of a process.
    for number, node in enumerate(tower.get_ordered_ops()):
        if node.get_type_name() != "Parameter":
            node.set_friendly_name(f"{node.get_type_name()}_{number}")
    ov.save_model(tower, str(path), compress_to_fp16=False)


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _has_name(parameter: Any, name: str) -> bool:  # noqa: ANN401
    return name in parameter.output(0).get_names() or parameter.get_friendly_name() == name


def _single(model: Any, rank: int, names: Sequence[str], problem: str, other: Sequence[Any] = ()) -> Any:  # noqa: ANN401
    """Return the only parameter of a rank, or the first of several with a known name, leaving out ``other``."""
    parameters = model.get_parameters()
    excluded = {parameter.get_name() for parameter in other}
    candidates = [
        parameter
        for parameter in parameters
        if parameter.get_name() not in excluded
        and parameter.get_partial_shape().rank.is_static
        and len(parameter.get_partial_shape()) == rank
    ]
    if len(candidates) > 1:
        candidates = [candidate for name in names for candidate in candidates if _has_name(candidate, name)][:1]
    if len(candidates) != 1:
        inputs = ", ".join(f"{node.get_friendly_name()} {node.get_partial_shape()}" for node in parameters)
        raise ModelUnsupported(f"{problem}; this one takes {inputs or 'nothing'}.")
    return candidates[0]


def _embedding(model: Any, kind: str, what: str, *, pooled: bool) -> Any:  # noqa: ANN401
    """Return the output of the node that computes the embedding."""
    results = model.get_results()
    other = "text" if kind == "image" else "image"
    candidates: dict[str, Any] = {}
    for result in results:
        source = result.input_value(0)
        rank = source.get_partial_shape().rank
        if not rank.is_static or len(source.get_partial_shape()) == 2:
            for name in (*result.output(0).get_names(), *source.get_names(), result.get_friendly_name()):
                candidates.setdefault(name.removesuffix("/sink_port_0"), source)
    known = [name for name in (*_SHARED, *([_POOLED] if pooled else [])) if not name.startswith(other)]
    for name in known:
        if name in candidates:
            return candidates[name]
    unnamed = list({source.get_node().get_name(): source for source in candidates.values()}.values())
    if len(unnamed) == 1 and _POOLED not in candidates and "last_hidden_state" not in candidates:
        return unnamed[0]
    names = ", ".join(sorted({name for result in results for name in result.output(0).get_names()}))
    hint = (
        " It has what comes before the projection into the space that both towers share, but not the projection: "
        "export it with the projection (CLIPVisionModelWithProjection, CLIPTextModelWithProjection)."
        if _POOLED in candidates or "last_hidden_state" in names
        else ""
    )
    raise ModelUnsupported(f"{what} gives no {kind} embedding; it gives {names or 'nothing that has a name'}.{hint}")


def _parameters_of(output: Any) -> set[str]:  # noqa: ANN401
    """Return the unique names of the parameters on which an output depends."""
    seen = set()
    names = set()
    todo = [output.get_node()]
    while todo:
        node = todo.pop()
        if node.get_name() in seen:
            continue
        seen.add(node.get_name())
        if node.get_type_name() == "Parameter":
            names.add(node.get_name())
        todo.extend(port.get_source_output().get_node() for port in node.inputs())
    return names


def _require_only(allowed: Sequence[Any], model: Any, embedding: Any, what: str) -> None:  # noqa: ANN401
    others = _parameters_of(embedding) - {parameter.get_name() for parameter in allowed}
    if others:
        names = sorted(
            parameter.get_friendly_name() for parameter in model.get_parameters() if parameter.get_name() in others
        )
        raise ModelUnsupported(f"the embedding of {what} depends on more inputs: {', '.join(names)}.")


def _require_side(dimension: Any, side: int, what: str) -> None:  # noqa: ANN401
    if dimension.is_static and dimension.get_length() != side:
        raise ModelUnsupported(
            f"{what} takes images of {dimension.get_length()} pixels, and its preprocessing makes images of {side}."
        )


def _unit(embedding: Any) -> Any:  # noqa: ANN401
    """Normalise an embedding to length 1, in float32."""
    if embedding.get_element_type() != ov.Type.f32:
        embedding = ov.opset13.convert(embedding, ov.Type.f32).output(0)
    return ov.opset13.result(
        ov.opset13.normalize_l2(embedding, axes=np.array([1], np.int64), eps=1e-12, eps_mode="max")
    )


def _named(tower: Any, inputs: dict[int, str]) -> Any:  # noqa: ANN401
    for number, name in inputs.items():
        tower.inputs[number].get_tensor().set_names({name})
        tower.inputs[number].get_node().set_friendly_name(name)
    tower.outputs[0].get_tensor().set_names({"embedding"})
    return tower


def _takes_any_batch(tower: Any) -> bool:  # noqa: ANN401
    """Run a tower that was exported for a fixed batch with another one, because the shapes may be built in."""
    generator = np.random.default_rng(0)
    shape = [2, *(dimension.get_length() for dimension in list(tower.inputs[0].get_partial_shape())[1:])]
    images = generator.random(shape, np.float32)
    try:
        compiled = core().compile_model(tower, CPU, {"INFERENCE_PRECISION_HINT": EXACT})
        both = np.array(compiled([images])[0])
        each = np.concatenate([np.array(compiled([images[n : n + 1]])[0]) for n in range(2)])
    except RuntimeError:
        return False
    return bool(both.shape == each.shape and np.abs(both - each).max() < 1e-4)
