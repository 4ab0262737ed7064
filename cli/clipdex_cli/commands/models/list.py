"""``clipdex model list``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from clipdex_cli.help_pages import Command
from clipdex_cli.output import size
from clipdex_cli.printing import write, write_json
from clipdex_cli.tables import table

if TYPE_CHECKING:
    from clipdex.models.hub.known import KnownModel
    from clipdex.models.managing import Listed


# What the state of a model means to who asks whether it is installed.
_INSTALLED = {"bundled": "yes", "installed": "yes", "damaged": "damaged"}


@click.command("list", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON, with all that is known.")
def command(as_json: bool) -> None:
    """List the installed models and those that you can pull.

    The size is on disk, or that of the download. New indexes get the default model, which $CLIPDEX_MODEL can name. For
    the licence, the image size and more: clipdex model info.
    """
    from clipdex.datasets.provenance import MODEL_VARIABLE
    from clipdex.encoder.model import BUNDLED
    from clipdex.models.hub.known import KNOWN
    from clipdex.models.managing import list_models

    rows = [_row_of_listed(one) for one in list_models()]
    here = {row["name"] for row in rows}
    rows += [_row_of_known(known) for known in KNOWN if known.name not in here]
    if as_json:
        write_json(rows)
        return
    columns = {
        "name": [str(row["name"]) for row in rows],
        "bits": [str(row["bits"] or "") for row in rows],
        "size": [size(row["bytes"]) if row["bytes"] else "" for row in rows],
        "installed": [_INSTALLED.get(row["state"], "no") for row in rows],
    }
    default = os.environ.get(MODEL_VARIABLE) or BUNDLED
    for number, name in enumerate(columns["name"]):
        if name == default:
            columns["installed"][number] += ", default"
    write(table(columns, numbers=("bits", "size"), names=("name",)), head=True)


def _row_of_listed(one: Listed) -> dict[str, Any]:
    from clipdex.encoder.model import BUNDLED

    model = one.model
    return {
        "name": one.name,
        "state": "damaged" if model is None else "bundled" if one.name == BUNDLED else "installed",
        "bits": model.embedding_size if model is not None else None,
        "image size": model.image.size if model is not None else None,
        "bytes": model.size if model is not None else None,
        "weights": model.weights if model is not None else "",
        "images/s": round(one.rate.images_per_second, 1) if one.rate is not None else None,
        "licence": model.licence if model is not None else "",
        "note": one.problem or (model.kind if model is not None else ""),
    }


def _row_of_known(known: KnownModel) -> dict[str, Any]:
    return {
        "name": known.name,
        "state": "can be pulled" if known.verified else "can be pulled, unverified",
        "bits": known.bits,
        "image size": known.image_size,
        "bytes": known.download_bytes or None,
        "weights": "",
        "images/s": None,
        "licence": known.licence,
        "note": known.title,
    }
