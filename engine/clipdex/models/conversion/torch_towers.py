"""Converting checkpoints that need PyTorch: those of transformers, and those of OpenCLIP.

OpenVINO's own frontend traces the towers. Its converter ``openvino.tools.ovc`` is not used, because it reports its use.
A pickle is loaded only on request, by a loader that accepts only tensors.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clipdex.errors import ModelCorrupt, ModelUnsupported
from clipdex.extras import optional
from clipdex.models.conversion.layouts import Layout
from clipdex.models.conversion.reading import part, read_settings
from clipdex.wording import with_article

_TOKENS = 9
_LONGEST_MESSAGE = 300
_PURPOSE = "Converting a PyTorch checkpoint"


def torch_towers(layout: Layout, side: int, length: int, *, padded: bool, pickles: bool) -> tuple[Any, Any]:
    """Load a checkpoint and convert its towers.

    Parameters
    ----------
    layout
        A layout of kind ``transformers`` or ``open_clip``.
    side
        Side of the images in pixels.
    length
        The most tokens of a text.
    padded
        Whether every text is padded to ``length``.
    pickles
        Whether to load weights from a pickle, with ``weights_only``.

    Returns
    -------
    The image tower and the text tower, each an ``openvino.Model``, with the inputs ``pixel_values``, and ``input_ids``
    and (for transformers) ``attention_mask``.

    Raises
    ------
    ExtraMissing
        When PyTorch or the library of the checkpoint is not installed.
    ModelUnsupported
        When the checkpoint is a pickle, or not a dual encoder.
    ModelCorrupt
        When the checkpoint cannot be loaded.
    """
    if layout.checkpoint and not pickles:
        raise ModelUnsupported(
            f"the weights in {layout.folder} are in a pickle, a format that can hold programs. Get them as safetensors "
            "or ONNX; or, if you trust where they come from, add --allow-pickle, which loads tensors only."
        )
    torch = optional("torch", "convert", _PURPOSE)
    with _quiet():
        model, encode_image, encode_text = (_open_clip if layout.kind == "open_clip" else _transformers)(layout)
        model.requires_grad_(False)
        images = torch.zeros((2, 3, side, side), dtype=torch.float32)
        ids = torch.arange(2 * (length if padded else _TOKENS)).reshape(2, -1) % 7 + 1
        # Towers for padded texts were trained to attend to the padding.
        masked = layout.kind == "transformers" and not padded
        texts = {"input_ids": ids, **({"attention_mask": torch.ones_like(ids)} if masked else {})}
        image = _traced(model, encode_image, {"pixel_values": images}, layout.folder)
        text = _traced(model, encode_text, texts, layout.folder)
    return image, text


def _transformers(layout: Layout) -> tuple[Any, Any, Any]:
    transformers = optional("transformers", "convert", _PURPOSE)
    transformers.utils.logging.disable_progress_bar()
    try:
        model = transformers.AutoModel.from_pretrained(
            str(layout.folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=not layout.checkpoint,
            weights_only=True,
            dtype="float32",
            attn_implementation="eager",
        ).eval()
    except Exception as error:
        # The libraries raise nearly any error for a damaged file or an inconsistent configuration.
        raise ModelCorrupt(f"transformers cannot load {layout.folder}: {_short(error)}") from error
    if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
        raise ModelUnsupported(
            f"{layout.folder} is {with_article(repr(layout.family))} model, and no dual encoder such as CLIP."
        )

    def features(output: Any) -> Any:  # noqa: ANN401 - a tensor, or (transformers 5) an output that has it
        return output if hasattr(output, "shape") else output.pooler_output

    return (
        model,
        lambda pixel_values: features(model.get_image_features(pixel_values=pixel_values)),
        lambda input_ids, attention_mask=None: features(
            model.get_text_features(input_ids=input_ids, attention_mask=attention_mask)
        ),
    )


def _open_clip(layout: Layout) -> tuple[Any, Any, Any]:
    open_clip = optional("open_clip", "openclip", "Converting an OpenCLIP checkpoint")
    torch = optional("torch", "convert", _PURPOSE)
    path = layout.folder / "open_clip_config.json"
    settings = part(read_settings(path) or {}, "model_cfg", path)
    try:
        kind = open_clip.CustomTextCLIP if settings.get("custom_text") else open_clip.CLIP
        model = kind(**{name: value for name, value in settings.items() if name != "custom_text"}).eval()
        if layout.checkpoint:
            weights = torch.load(layout.folder / "open_clip_pytorch_model.bin", map_location="cpu", weights_only=True)
        else:
            safetensors = optional("safetensors.torch", "convert", _PURPOSE)
            weights = safetensors.load_file(str(layout.folder / "open_clip_model.safetensors"))
        model.load_state_dict(weights)
    except Exception as error:
        raise ModelCorrupt(f"open_clip cannot load {layout.folder}: {_short(error)}") from error
    return model, model.encode_image, model.encode_text


def _short(error: Exception) -> str:
    """Return the beginning of a message, because those of PyTorch can hold a whole tensor."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return first[:_LONGEST_MESSAGE]


def _traced(model: Any, encode: Any, example: Mapping[str, Any], folder: Path) -> Any:  # noqa: ANN401
    torch = optional("torch", "convert", _PURPOSE)
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    class Tower(torch.nn.Module):  # type: ignore[name-defined, misc]
        """A module whose ``forward`` is one function with named arguments."""

    # TorchScript takes the names of the inputs from the signature.
    if "attention_mask" in example:
        Tower.forward = lambda self, input_ids, attention_mask: encode(input_ids, attention_mask)
    elif "input_ids" in example:
        Tower.forward = lambda self, input_ids: encode(input_ids)
    else:
        Tower.forward = lambda self, pixel_values: encode(pixel_values)
    try:
        with torch.no_grad():
            frontend = FrontEndManager().load_by_framework("pytorch")
            tower = Tower()
            tower.model = model  # so that its weights are parameters of what is traced
            decoder = TorchScriptPythonDecoder(tower.eval(), example_input=dict(example))
            return frontend.convert(frontend.load(decoder))
    except Exception as error:
        raise ModelUnsupported(f"a tower of {folder} cannot be converted to OpenVINO: {_short(error)}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the messages of PyTorch and transformers about tracing and about weights of other heads."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
