"""Commands whose help is easy to read: required and optional words of the usage line, and options in groups."""

from __future__ import annotations

from typing import Any

import click

COMMON = "Common options"
OTHER = "Other options"
# Title of each group, and the parameters that it holds. A command shows the groups that it has options of.
_GROUPS = {
    "What to search for": (
        *("item_subsets", "exclude_self", "not_texts", "not_images", "not_items", "no_prompt", "prompt_ensemble"),
        "from_result",
    ),
    "What may be found": (
        *(
            "labels",
            "not_labels",
            "tags",
            "not_tags",
            "subsets",
            "not_subsets",
            "paths",
            "not_paths",
            "datasets",
            "not_datasets",
            "areas",
            "not_areas",
        ),
        "max_distance",
        "min_strength",
    ),
    "How lists are merged": ("merge", "rescore"),
    "What is printed and saved": (
        *(
            "output",
            "null",
            "raw",
            "histogram",
            "preview",
            "save",
            "output_dir",
            "html",
            "save_as",
            "force",
            "stage",
            "limit",
            "verbose",
            "quiet",
            "renew",
        ),
    ),
    "Model and device": ("model", "device", "precision"),
    "Datasets and indexes": ("format_name", "format_options", "index", "project_dir", "prune", "wait", "max_pixels"),
}


class Command(click.Command):
    """A command with an easy help page.

    Parameters
    ----------
    common
        Names of the parameters that most users need. The help shows their options first, and the other options in
        groups. Without names, all options are in one list.
    usage
        The arguments and required options as the usage line shows them; None: they are put together from the
        parameters.
    """

    def __init__(self, *args: Any, common: tuple[str, ...] = (), usage: str | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.common = common
        self.usage = usage

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words. When a shell completes a value, leave out the option that waits for it."""
        args = self.with_values(args)
        return super().parse_args(ctx, self.without_open_option(args) if ctx.resilient_parsing else args)

    def with_values(self, args: list[str]) -> list[str]:
        """Write ``--preview`` as ``--preview=auto``: where a value may be left out, it follows an equals sign only."""
        optional = {
            flag: option.flag_value
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag and isinstance(option.flag_value, str)
            for flag in option.opts
        }
        end = args.index("--") if "--" in args else len(args)
        return [f"{word}={optional[word]}" if word in optional else word for word in args[:end]] + args[end:]

    def without_open_option(self, args: list[str]) -> list[str]:
        """Return the words without a last option that has no value yet, so that the others can be parsed."""
        with_value = {
            flag
            for option in self.params
            if isinstance(option, click.Option) and not (option.is_flag or option.count)
            for flag in option.opts
        }
        return args[:-1] if args and args[-1] in with_value else args

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the words of the usage line: arguments, required options, and ``[OPTIONS]`` for the others."""
        if self.usage is not None:
            return [self.usage, "[OPTIONS]"]
        options = [option for option in self.params if isinstance(option, click.Option) and option.required]
        return [
            *(piece for param in self.params for piece in param.get_usage_pieces(ctx)),
            *(f"{option.opts[0]} {option.make_metavar(ctx)}" for option in options),
            "[OPTIONS]",
        ]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, the common ones first."""
        if not self.common:
            super().format_options(ctx, formatter)
            return
        names = {name: title for title, group in _GROUPS.items() for name in group}
        help_option = self.get_help_option(ctx)
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in (COMMON, *_GROUPS, OTHER)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                record = (record[0].replace(" [=", "[="), record[1])
                is_common = param.name in self.common or param is help_option
                sections[COMMON if is_common else names.get(param.name, OTHER)].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
