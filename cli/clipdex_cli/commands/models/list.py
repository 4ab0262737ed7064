"""``clipdex model list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from clipdex_cli.output import printable, table, write

if TYPE_CHECKING:
    from clipdex.models.hub.known import KnownModel
    from clipdex.models.managing import Listed


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(as_json: bool) -> None:
    """List the models that are here, and those that can be pulled by name.

    The rate is that of the image tower on this machine, where clipdex model bench has measured it. A known model that
    is marked unverified is listed from memory: nobody has read its list of files yet.
    """
    from clipdex.models.hub.known import KNOWN
    from clipdex.models.managing import list_models

    rows = [_row_of_listed(one) for one in list_models()]
    here = {row["name"] for row in rows}
    rows += [_row_of_known(known) for known in KNOWN if known.name not in here]
    if as_json:
        import json

        write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return
    shown = ("name", "state", "bits", "image size", "MB", "images/s", "licence", "note")
    for row in rows:
        row["MB"] = f"{row['bytes'] / 1e6:,.0f}" if isinstance(row["bytes"], int) else None
    columns = {name: [printable("" if row[name] is None else str(row[name])) for row in rows] for name in shown}
    write(table(columns, numbers=("bits", "image size", "MB", "images/s")))


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
