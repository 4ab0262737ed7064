"""``clipdex model info``."""

from __future__ import annotations

import click

from clipdex_cli import completing
from clipdex_cli.help_pages import Command
from clipdex_cli.output import size
from clipdex_cli.printing import write_json, write_line

_NOT_STATED = "not stated"


@click.command("info", cls=Command)
@click.argument("name", metavar="MODEL", shell_complete=completing.all_models)
@click.option("--json", "as_json", is_flag=True, help="Print the description of the model, model.json, as it is.")
def command(name: str, as_json: bool) -> None:
    """Show the details of a model.

    MODEL is an installed model, by name or folder, or a known model that you can pull.
    """
    from clipdex.encoder.installed import installed_folder
    from clipdex.encoder.languages import languages_of_repository, languages_said
    from clipdex.encoder.model import BUNDLED, DESCRIPTION, find_model
    from clipdex.models.hub.known import KNOWN

    known = next((one for one in KNOWN if one.name == name), None)
    if known is not None and name != BUNDLED and installed_folder(name) is None:
        lines = [
            ("name", f"{known.name}, {known.title} (not installed: clipdex model pull {known.name})"),
            ("repository", known.page()),
            ("files", ", ".join(known.files)),
            ("seen", known.seen if known.verified else "unverified: nobody has read this list of files there"),
            ("licence", known.licence),
            ("download", size(known.download_bytes) if known.download_bytes else ""),
            ("hash keys", f"{known.bits} bits"),
            ("images", f"{known.image_size} x {known.image_size} pixels"),
            ("languages", languages_said(languages_of_repository(known.repository)) or _NOT_STATED),
            ("good at", known.good_at),
        ]
    else:
        from clipdex.models.benchmarking import best_rate

        model = find_model(name)
        if as_json:
            import json

            write_json(json.loads((model.folder / DESCRIPTION).read_text(encoding="utf-8")))
            return
        rate = best_rate(model)
        image, text = model.image, model.text
        lines = [
            ("name", f"{model.name}, digest {model.digest[:12]}"),
            ("folder", f"{model.folder}, {size(model.size)}"),
            ("kind", model.kind),
            ("good at", model.good_at),
            ("not good at", model.not_good_at),
            ("languages", languages_said(model.languages) or _NOT_STATED),
            ("licence", model.licence),
            ("hash keys", f"{model.embedding_size} bits, {model.hashing}"),
            (
                "images",
                f"{image.size} x {image.size} pixels, {image.resize}"
                + (f" {image.resize_size} and centre crop" if image.resize == "short-side" else "")
                + f", {image.interpolation}",
            ),
            ("texts", f"up to {text.length} tokens, prompt {text.prompt!r}, {len(text.ensemble)} prompts to average"),
            ("weights", f"{model.weights}; --precision auto means {model.precision}"),
            (
                "rate",
                f"{rate.images_per_second:,.1f} images/s on {rate.device} in {rate.precision}, {rate.batch} at once"
                if rate is not None
                else f"not measured: clipdex model bench {name}",
            ),
        ]
    for title, value in lines:
        if value:
            write_line(f"{title:<12}{value}")
