"""``clipdex model add``."""

from __future__ import annotations

from pathlib import Path

import click

from clipdex_cli.commands.models.choices import NAME, as_choices, choices, say_installed
from clipdex_cli.help_pages import Command

_FILE = click.Path(path_type=Path)


@click.command("add", cls=Command, usage="(PATH | --image-model FILE --text-model FILE --tokenizer FILE --name NAME)")
@click.argument("path", metavar="[PATH]", required=False, type=_FILE)
@NAME
@click.option("--image-model", metavar="FILE", type=_FILE, help="Image tower, as ONNX or OpenVINO IR.")
@click.option("--text-model", metavar="FILE", type=_FILE, help="Text tower, as ONNX or OpenVINO IR.")
@click.option("--tokenizer", metavar="FILE", type=_FILE, help="Tokenizer, as a file or a folder.")
@choices
@click.option("--allow-pickle", is_flag=True, help="Load weights from a pickle (.bin), and only tensors.")
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
def command(
    path: Path | None,
    name: str | None,
    image_model: Path | None,
    text_model: Path | None,
    tokenizer: Path | None,
    hashing: str,
    quantize: str,
    precision: str,
    allow_pickle: bool,
    quiet: bool,
) -> None:
    """Install a model from files, without a download.

    PATH is a folder as a model hub publishes it, with ONNX files or safetensors; or a model folder of clipdex; or a ZIP
    or TAR archive of one. An ONNX file holds one tower or both. Safetensors need clipdex[convert].

    Instead of PATH, name the files of the two towers and of the tokenizer.
    """
    from clipdex_cli.progress import WorkDisplay

    towers = (image_model, text_model, tokenizer)
    if (path is None) == (towers == (None, None, None)):
        raise click.UsageError("give either PATH, or --image-model, --text-model and --tokenizer.")
    made = as_choices(hashing, quantize, precision, allow_pickle=allow_pickle)
    if path is not None:
        from clipdex.models.adding import add_model

        with WorkDisplay(name or path.name, quiet=quiet) as display:
            model = add_model(path, name=name, choices=made, progress=display)
    else:
        from clipdex.models.adding import add_towers

        if image_model is None or text_model is None or tokenizer is None or name is None:
            raise click.UsageError("separate towers need all of --image-model, --text-model, --tokenizer and --name.")
        with WorkDisplay(name, quiet=quiet) as display:
            model = add_towers(image_model, text_model, tokenizer, name=name, choices=made, progress=display)
    say_installed(model.folder.name, model)
