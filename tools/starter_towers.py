"""What is computed behind the networks of ``starter``, as operations of OpenVINO. The numbers are those of the space.

A constant before an ``Exp`` stays in 32 bits when a model is saved, and a subtracted one changed its sign when a
compiled tower came from OpenVINO's cache (2026.4): therefore constants are in 16 or 8 bits from the start, and are
added.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from openvino import opset13 as ops
from starter_space import ASKED, ASKED_WEIGHT, CLASS_WEIGHT, NAME_FALL, WORD_FALL, WORD_WEIGHT, Floats, Space
from starter_words import CLASSES, COMPANY, positions

from clipdex.encoder.runtime import openvino as ov

# Words and classes: the power of how far a score is above the mean.
WORD_SHARPNESS = 4.0
CLASS_SHARPNESS = 4.0
# People: the side of the picture for the detector, the scores (before a sigmoid) that count as nobody and as somebody,
# the weight of the classes that are worn, held or done by people, and that of the whole part.
PEOPLE_SIZE = 160
NOBODY = -2.5
SOMEBODY = 1.5
COMPANY_WEIGHT = 0.5
PERSON_WEIGHT = 0.7
USUAL = 0.5
# The pose detector gives its scores on three grids. The coarsest one, for people who fill the picture, tells little.
GRIDS = (8, 16)

Node = ov.Node | ov.Output


def add_image_head(model: ov.Model, detector: ov.Model, space: Space) -> ov.Model:
    """Put the three parts behind the image network.

    Parameters
    ----------
    model
        From the pixels of one image to the logits of the classes.
    detector
        The pose detector, for pictures of any side, values from -1 to 1.
    space
        The common space.

    Returns
    -------
    openvino.Model
        From ``pixels`` to ``embedding``.
    """
    logits = model.outputs[0].get_node().input_value(0)
    _in_eight_bits(logits.get_node())
    axis = np.array([1], np.int64)
    negative_mean = ops.multiply(ops.reduce_mean(logits, axis, keep_dims=True), np.float32(-1))
    above = ops.relu(ops.add(logits, negative_mean))
    # The division by the maximum keeps the powers small, for hardware that computes in half precision.
    share = ops.divide(above, ops.add(ops.reduce_max(above, axis, keep_dims=True), np.float32(1e-6)))
    weights = ops.power(share, np.float32(WORD_SHARPNESS))
    weights = ops.divide(weights, ops.add(ops.reduce_sum(weights, axis, keep_dims=True), np.float32(1e-6)))
    words = _unit(_plus(_times(weights, space.words), -space.words_of_images))
    powers = ops.power(share, np.float32(CLASS_SHARPNESS))
    classes = _scaled(_plus(_unit(powers), -space.classes_of_images), CLASS_WEIGHT)
    # No matrix product: with one column, OpenVINO 2026.4 gives 0 in some processes.
    company = np.zeros(CLASSES, np.float32)
    company[positions(COMPANY)] = 1
    worn = ops.reduce_sum(ops.multiply(powers, _constant(company)), axis, keep_dims=True)
    total = ops.add(ops.reduce_sum(powers, axis, keep_dims=True), np.float32(1e-6))
    beside = _scaled(ops.divide(worn, total), COMPANY_WEIGHT)
    seen = _scaled(_plus(_best_score(model, detector), np.float32([-NOBODY])), 1 / (SOMEBODY - NOBODY))
    person = _scaled(_plus(ops.add(ops.clamp(seen, 0.0, 1.0), beside), np.float32([-USUAL])), PERSON_WEIGHT)
    return _finish(model, [words, classes, person], space)


def add_text_head(model: ov.Model, space: Space) -> ov.Model:
    """Put the three parts behind the text network, a model from tokens to unit vectors, as ``parts_of_texts`` does."""
    embedding = model.outputs[0].get_node().input_value(0)
    words = _unit(_plus(_times(embedding, space.whitener), -space.words_of_texts))
    names = _fading(embedding, space.names, NAME_FALL)
    everyday = _fading(embedding, space.everyday, WORD_FALL)
    mixed = _scaled(_times(everyday, space.mixtures[:, :CLASSES]), WORD_WEIGHT)
    classes = _scaled(_plus(_unit(ops.add(names, mixed)), -space.classes_of_texts), CLASS_WEIGHT)
    people = ops.multiply(everyday, _constant(space.mixtures[:, CLASSES]))
    people = _scaled(ops.reduce_max(people, np.array([1], np.int64), keep_dims=True), 1 / ASKED)
    return _finish(model, [words, classes, _scaled(ops.minimum(people, np.float32(1)), ASKED_WEIGHT)], space)


def resize_detector(detector: ov.Model, side: int) -> None:
    """Make the pose detector take pictures of another side. It enlarges its grids to sizes that are built in."""
    pixels = detector.get_parameters()[0]
    built_in = pixels.get_partial_shape()[1].get_length()
    for node in detector.get_ordered_ops():
        if node.get_type_name() == "Interpolate":
            sizes = node.input_value(1).get_node().data
            node.input(1).replace_source_output(ops.constant(sizes * side // built_in).output(0))
    pixels.set_partial_shape(ov.PartialShape([1, side, side, 3]))
    detector.validate_nodes_and_infer_types()


def _best_score(model: ov.Model, detector: ov.Model) -> Node:
    """Return the best score of the detector for the pixels of a model, ``[1, 1]``."""
    resize_detector(detector, PEOPLE_SIZE)
    (scores,) = (out.get_node().input_value(0) for out in detector.outputs if out.get_partial_shape()[2] == 1)
    grids = scores.get_node().input_values()[: len(GRIDS)]
    sides = [PEOPLE_SIZE // step for step in GRIDS]
    if [grid.get_partial_shape()[1].get_length() for grid in grids] != [2 * side**2 for side in sides]:
        message = "the pose detector has other grids than expected"
        raise SystemExit(message)
    pixels = _normalised(model)
    size = ops.constant(np.array([PEOPLE_SIZE, PEOPLE_SIZE], np.int64))
    small = ops.interpolate(
        pixels, size, "linear_onnx", "sizes", [0, 0, 0, 0], [0, 0, 0, 0], "half_pixel", axes=np.array([2, 3], np.int64)
    )
    channels_last = ops.transpose(small, np.array([0, 2, 3, 1], np.int64))
    for port in detector.get_parameters()[0].output(0).get_target_inputs():
        port.replace_source_output(channels_last.output(0))
    best = [ops.reduce_max(grid, np.array([1], np.int64), keep_dims=False) for grid in grids]
    return ops.maximum(*best)


def _in_eight_bits(node: ov.Node) -> None:
    """Store the matrix of the last layer in 8 bits, with a scale for each class."""
    while node.get_type_name() != "MatMul":
        node = node.input_value(0).get_node()
    weights = node.input_value(1).get_node()
    while weights.get_type_name() != "Constant":
        weights = weights.input_value(0).get_node()
    matrix = weights.data.astype(np.float32)
    node.input(1).replace_source_output(_eight_bits(matrix, axis=1 if node.get_attributes()["transpose_b"] else 0))


def _normalised(model: ov.Model) -> Node:
    """Return the normalised pixels, ``[1, 3, side, side]``: what the first convolution of the network takes in."""
    for node in model.get_ordered_ops():
        if "Convolution" in node.get_type_name():
            value = node.input_value(0)
            while value.get_partial_shape()[1] != 3 or value.get_node().get_type_name() == "Pad":
                value = value.get_node().input_value(0)
            return value
    message = "the image network has no convolution"
    raise SystemExit(message)


def _finish(model: ov.Model, parts: list[Node], space: Space) -> ov.Model:
    product = _times(ops.concat(parts, 1), space.rotation)
    whole = ov.Model([ops.result(product)], model.get_parameters())
    whole.outputs[0].get_tensor().set_names({"embedding"})
    # Only weights are ever in 8 bits: without this the CPU plugin quantises activations too, by a way of each CPU.
    whole.set_rt_info("0", ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"])
    return whole


def _times(node: Node, matrix: Floats) -> Node:
    """Multiply rows by a matrix that is stored in 8 bits, with a scale for each column."""
    return ops.matmul(node, _eight_bits(matrix, axis=0), transpose_a=False, transpose_b=False)


def _eight_bits(matrix: Floats, axis: int) -> ov.Output:
    """Store a matrix in 8 bits, with a scale for all values along ``axis``."""
    scale = np.maximum(np.abs(matrix).max(axis, keepdims=True), 1e-12) / 127
    whole = ops.convert(ops.constant(np.round(matrix / scale).astype(np.int8)), "f32")
    return ops.multiply(whole, ops.constant(scale.astype(np.float32))).output(0)


def _fading(embedding: Node, others: Floats, fall: float) -> Node:
    """Return how near texts are to others: 1 for the same, and less the faster the greater ``fall``."""
    cosines = _times(embedding, others.T)
    return ops.exp(_scaled(_plus(cosines, np.float32([-1])), fall))


def _constant(values: npt.ArrayLike) -> Node:
    return ops.convert(ops.constant(np.asarray(values, np.float16)), "f32")


def _plus(node: Node, values: npt.ArrayLike) -> Node:
    return ops.add(node, _constant(values))


def _scaled(node: Node, factor: float) -> Node:
    return ops.multiply(node, _constant([factor]))


def _unit(node: Node) -> Node:
    return ops.normalize_l2(node, np.array([1], np.int64), 1e-12, "max")
