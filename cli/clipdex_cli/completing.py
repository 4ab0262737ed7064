"""Values that a shell offers when it completes a word. They come quickly; if something is wrong, there are none."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

if TYPE_CHECKING:
    from clipdex.projects.model import Project
    from clipdex.readers.sources import Source

VARIABLE = "_CLIPDEX_COMPLETE"
_SPECIAL = re.compile(r"[^A-Za-z0-9_@%+=:,./~-]")
# Key of ``context.meta``: the option of several values whose values have not ended yet.
OPEN = "clipdex_cli.open"

Names = Callable[[click.Context], Iterable[str]]
Completer = Callable[[click.Context, click.Parameter, str], list["CompletionItem[str]"]]


def complete(program: click.Group) -> int:
    """Answer the shell, as the environment asks, and return the exit code."""
    add_completion_class(_Bash)
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        try:
            program.main([], prog_name="clipdex", complete_var=VARIABLE, standalone_mode=False)
        except SystemExit as done:
            return done.code if isinstance(done.code, int) else 1
    return 1


class _Bash(BashComplete):
    """Completion of Bash that quotes names. A space in a name would otherwise end the word."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before and the word to complete. Bash splits ``--label=dog`` into three words."""
        words, incomplete = super().get_completion_args()
        return words[:-1] if words[-1:] == ["="] else words, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        value = str(item.value)
        if item.type == "plain" and not _word_of_bash().startswith(("'", '"')):
            # Two backslashes, because the script of click reads the answer with the builtin read, which takes one away.
            value = _SPECIAL.sub(r"\\\\\g<0>", value)
        return f"{item.type},{value}"


def _word_of_bash() -> str:
    """Return the word to complete as the user typed it, with its quotes."""
    words = os.environ.get("COMP_WORDS", "").split("\n")
    number = int(os.environ.get("COMP_CWORD", "0"))
    return words[number] if number < len(words) else ""


def _completer(names: Names, otherwise: str = "") -> Completer:
    """Return a function that offers the names that begin with the word or, if there are none, files or folders."""

    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        found: set[str] = set()
        with contextlib.suppress(Exception):
            found.update(names(ctx))
        offered = sorted(name for name in found if name.startswith(incomplete) and name.isprintable())
        if offered or not otherwise:
            return [CompletionItem(name) for name in offered]
        return [CompletionItem(incomplete, type=otherwise)]

    return offer


def _project(ctx: click.Context) -> Project | None:
    from clipdex.projects.places import find_project
    from clipdex.projects.reading import open_project

    named = ctx.params.get("project_dir")
    return open_project(named) if named is not None or find_project() is not None else None


def _sources(ctx: click.Context) -> Iterable[str]:
    project = _project(ctx)
    return [source.name for source in project.sources] if project is not None else []


def _searched(ctx: click.Context) -> list[Source]:
    """Return the datasets that the words before name, without those that cannot be found."""
    from clipdex.readers.sources import Source, locate

    project = _project(ctx)
    targets = ctx.params.get("targets") or ()
    found = []
    if not targets:
        if project is None:
            return [Source(Path.cwd())]
        targets = tuple(source.name for source in project.sources)
    for target in targets:
        with contextlib.suppress(Exception):
            source = project.source(target) if project is not None else None
            found.append(project.open(source) if project is not None and source is not None else locate(target))
    return found


def _names_in(ctx: click.Context) -> tuple[set[str], set[str]]:
    """Return the names of the subsets and of the labels of the searched datasets."""
    from clipdex_indexes.storage.names import names_in

    subsets: set[str] = set()
    labels: set[str] = set()
    for folder in _index_folders(ctx):
        with contextlib.suppress(Exception):
            found = names_in(folder)
            subsets |= found[0]
            labels |= found[1]
    return subsets, labels


def _tags_in(ctx: click.Context) -> Iterable[str]:
    """Return the names of the tags of the searched datasets."""
    from clipdex_indexes.storage.tags import TagFile, tags_path

    for folder in _index_folders(ctx):
        with contextlib.suppress(Exception):
            yield from TagFile(tags_path(folder)).counts()


def _index_folders(ctx: click.Context) -> list[Path]:
    from clipdex.datasets.above import nearest_index
    from clipdex.paths import expanded

    index = ctx.params.get("index")
    return [expanded(index)] if index is not None else [nearest_index(source) for source in _searched(ctx)]


def _installed(ctx: click.Context) -> Iterable[str]:
    from clipdex.encoder.installed import installed_names

    return installed_names()


def _usable(ctx: click.Context) -> Iterable[str]:
    from clipdex.encoder.model import BUNDLED

    return [BUNDLED, *_installed(ctx)]


def _known(ctx: click.Context) -> Iterable[str]:
    from clipdex.models.hub.known import KNOWN

    return [known.name for known in KNOWN]


def _commands(ctx: click.Context) -> Iterable[str]:
    """Return the names of the commands below the named ones."""
    shown = ctx.find_root()
    for name in ctx.params.get("names") or ():
        found = shown.command.get_command(shown, name) if isinstance(shown.command, click.Group) else None
        if found is None:
            return []
        shown = click.Context(found, info_name=name, parent=shown)
    return shown.command.list_commands(shown) if isinstance(shown.command, click.Group) else []


tags = _completer(_tags_in)
labels = _completer(lambda ctx: _names_in(ctx)[1])
subsets = _completer(lambda ctx: _names_in(ctx)[0])
datasets = _completer(lambda ctx: [source.short_name for source in _searched(ctx)])
sources = _completer(_sources)
models = _completer(_usable, otherwise="dir")
installed_models = _completer(_installed)
known_models = _completer(_known)
all_models = _completer(lambda ctx: {*_usable(ctx), *_known(ctx)}, otherwise="dir")
commands = _completer(_commands)
files = _completer(lambda ctx: [], otherwise="file")


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer another value of an option that takes several, or else the sources of the project, or files."""
    opened = ctx.meta.get(OPEN)
    if isinstance(opened, click.Parameter):
        return opened.shell_complete(ctx, incomplete) or files(ctx, param, incomplete)
    return _completer(_sources, otherwise="file")(ctx, param, incomplete)
