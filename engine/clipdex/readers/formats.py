"""The formats that can be read, and which one fits a location.

A format is found by its name among providers: clipdex itself, folders of plugins, installed packages, Datumaro. Code of
others is imported only for a format that is not one of clipdex, and to find the format that fits.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clipdex.errors import ClipdexError, DatasetError, DatasetNotFound, ExtraMissing
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import is_folder, is_pattern, is_there, quoted
from clipdex.readers import plugins
from clipdex.readers.annotation_files import ARCHIVES, annotation_file
from clipdex.readers.base import NO_OPTIONS, Reader
from clipdex.readers.folder import SKIP
from clipdex.readers.layout import Layout
from clipdex.readers.masks import known_masks
from clipdex.readers.plugin_files import PluginFiles, read_plugins
from clipdex.readers.providers import Core, Datumaro, Folder, Installed, Provider

FOLDER = "folder"
GLOB = "glob"
_NAME_IT = "to name its format, build it with --rebuild --format NAME (clipdex formats lists them)"
# What other tools call the formats of clipdex.
_CALLED = {
    "yolo": re.compile(r".*(?:yolo|ultralytics|darknet).*"),
    "voc": re.compile(r".*voc.*|pascal.*"),
    "coco": re.compile(r".*coco.*|lvis.*"),
    "cvat": re.compile(r".*cvat.*"),
    FOLDER: re.compile(r"image_?(?:folder|dir)\w*|images?|imagenet(?!_txt)\w*|image_?class.*|director(?:y|ies)|dirs?"),
    "list": re.compile(r"te?xt"),
    "csv": re.compile(r"tsv"),
    "jsonl": re.compile(r"ndjson|json_?lines"),
    "parquet": re.compile(r"hf|hugging_?face"),
    "tar": re.compile(r"tgz|tar[._]\w+|web_?dataset|wds"),
}
# Names of formats that are more alike are meant, although other tools call one of clipdex so.
_MUCH_ALIKE = 0.9


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """A format: its name, description, origin and options, and why it cannot be used here (or an empty text)."""

    name: str
    about: str
    origin: str
    options: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The format that fits a location.

    Attributes
    ----------
    format
        Its name.
    notices
        Sentences that tell the user of the choice.
    tried
        The formats that did not fit, where only a plain folder did.
    options
        Options that it is read with, where the user gives none.
    """

    format: str
    notices: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


class _Registry:
    """The providers. Those of others are set up when a format is needed that is not one of clipdex."""

    def __init__(self) -> None:
        self.core = Core()
        self._lock = threading.Lock()
        self._folders: dict[Path, tuple[Mapping[str, str], plugins.FolderPlugins]] = {}
        self._others: list[Provider] | None = None
        # How to load folders of plugins that were not loaded.
        self.not_loaded: dict[Path, str] = {}

    def providers(self) -> list[Provider]:
        with self._lock:
            if self._others is None:
                datumaro = Datumaro(self.core.known())
                taken = {*self.core.known(), *datumaro.known()}
                folders = [Folder(loaded, taken) for _, loaded in self._folders.values()]
                named = {name for folder in folders for name in folder.known()}
                self._others = [*folders, Installed(taken | named), datumaro]
            return [self.core, *self._others]

    def add_folder(self, files: PluginFiles) -> None:
        with self._lock:
            self.not_loaded.pop(files.folder, None)
            if files.folder not in self._folders or self._folders[files.folder][0] != files.digests:
                self._folders[files.folder] = files.digests, plugins.load_folder(files)
                self._others = None

    def forget(self) -> None:
        with self._lock:
            self._folders.clear()
            self.not_loaded.clear()
            self._others = None


_registry = _Registry()


def use_folder(folder: Path) -> list[str]:
    """Add the formats of the modules in a folder to this process; return sentences on what was left out, and why.

    This runs their code: call it only for a folder that the user trusts.
    """
    try:
        return use_plugins(read_plugins(folder))
    except DatasetError as error:
        return [error.message]


def use_plugins(files: PluginFiles) -> list[str]:
    """Add the formats of the modules in a folder, as its files were read; otherwise as ``use_folder``."""
    _registry.add_folder(files)
    return [
        problem
        for provider in _registry.providers()
        if isinstance(provider, Folder) and provider.folder == files.folder
        for problem in provider.problems()
    ]


def say_not_loaded(folder: Path, remedy: str) -> None:
    """Let the error for an unknown format say that a folder of plugins was not loaded, and ``remedy``."""
    _registry.not_loaded[folder.absolute()] = remedy


def reload() -> None:
    """Forget the formats of others. They are looked for again; folders of plugins must be named again."""
    _registry.forget()


def format_name(text: str) -> str:
    """Return the name of the format that a user wrote: ``datumaro:NAME`` is ``NAME`` where clipdex has no such format.

    Letters may be of any case, and hyphens stand for underscores.
    """
    name = text.lower().replace("-", "_")
    plain = name.removeprefix(Datumaro.PREFIX)
    return name if plain in _registry.core.known() else plain


def reader_class(name: str) -> type[Reader]:
    """Return the reader of a format.

    Raises
    ------
    DatasetError
        When there is no such format, or it cannot be imported.
    ExtraMissing
        When a package that it needs is not installed.
    """
    name = format_name(name)
    if name in _registry.core.known():
        return _registry.core.reader_class(name)
    providers = _registry.providers()
    own = next((own for own, called in _CALLED.items() if called.fullmatch(name.removeprefix(Datumaro.PREFIX))), "")
    for provider in providers:
        if name in provider.known():
            try:
                return provider.reader_class(name)
            except ExtraMissing as error:
                if not own:
                    raise
                raise ExtraMissing(f"{error.message} clipdex reads {own} without it: --format {own}.") from error
    names = [known for provider in providers for known in provider.known()]
    near = difflib.get_close_matches(name, names, n=3, cutoff=_MUCH_ALIKE if own else 0.6)
    meant = list(dict.fromkeys([*near, own] if own else near))
    raise DatasetError(
        f"there is no format {name!r}. "
        + (f"Did you mean {' or '.join(meant)}? " if meant else "")
        + "clipdex formats lists what there is."
        + "".join(f" {folder} may have it, and was not loaded: {how}" for folder, how in _registry.not_loaded.items())
    )


def available() -> Iterator[FormatInfo]:
    """Yield all formats, those of clipdex first."""
    for provider in _registry.providers():
        for name in provider.known():
            problem, options, about = "", NO_OPTIONS, ""
            try:
                about = provider.about(name)
                reader = provider.reader_class(name)
                options = reader.option_names
                reader.check_installed()
            except ClipdexError as error:
                problem = error.message
            yield FormatInfo(name, about, provider.origin(name), options, problem)


def problems() -> list[str]:
    """Return sentences on which formats of others were left out, and why."""
    return [problem for provider in _registry.providers() for problem in provider.problems()]


def choose(location: Path, refused: Mapping[str, str] = NO_OPTIONS) -> Choice:
    """Choose the format that fits a location: the one known layout that fits, or else a plain folder.

    Parameters
    ----------
    location
        A folder, a file or a pattern.
    refused
        Formats that were tried and could not read it, with the error of each.

    Raises
    ------
    DatasetNotFound
        When the location does not exist.
    DatasetError
        When several formats fit, or a file fits none.
    ExtraMissing
        When the only one that fits a file needs a package that is not installed.
    """
    if not is_there(location):
        if is_pattern(str(location)):
            return Choice(GLOB)
        raise DatasetNotFound(f"{location} does not exist.")
    notices: list[str] = []
    found: dict[str, str] = {}
    tried: list[str] = []
    for provider in _registry.providers():
        found.update(provider.detect(location, notices))
        tried += [name for name in provider.tried() if name not in (FOLDER, GLOB)]
    found.pop(FOLDER, None)
    for name, reason in refused.items():
        if why := found.pop(name, ""):
            notices.append(f"{location} looks like {name}: {why}. But it cannot be read as {name}: {reason}")
    missing = {name: error for name in found if (error := _missing(name)) is not None}
    usable = {name: why for name, why in found.items() if name not in missing}
    folder = is_folder(location)
    if len(usable) > 1:
        raise DatasetError(_several(location, usable, folder=folder))
    if usable:
        ((name, why),) = usable.items()
        if folder:
            notices.append(f"{location} is read as {name}: {why}; --format {FOLDER} reads the images alone.")
        return Choice(name, tuple(notices))
    if folder:
        hints = [
            f"{location} looks like {name}: {found[name]}. {error.message} Until then it is read as a folder of "
            f"images; after that, build it again with --rebuild --format {name}."
            for name, error in missing.items()
        ]
        options, said = _as_folder(location, hinted=bool(hints), refused=bool(refused))
        return Choice(FOLDER, (*notices, *hints[:1], *said), tuple(tried), options)
    for error in missing.values():
        raise error
    meant = _meant_as(location)
    if meant and meant not in refused:
        return Choice(meant, tuple(notices))
    raise DatasetError(_none(location, tried, notices))


def _as_folder(location: Path, *, hinted: bool, refused: bool) -> tuple[Mapping[str, str], list[str]]:
    """Return the options with which a folder is read as one of images, and sentences on what that leaves out.

    Parameters
    ----------
    location
        The folder.
    hinted
        Whether the user is told already which format it is of.
    refused
        Whether a format that fits could not read it.
    """
    layout = Layout(location)
    masks = known_masks(layout)
    options, said = NO_OPTIONS, []
    if masks is not None:
        options = {SKIP: ",".join(masks.names)}
        said.append(
            f"{location} is read as a folder of images without its masks ({', '.join(masks.names)}), because it is "
            f"laid out as {masks.layout}: {masks.why}; --rebuild --format {FOLDER} reads them too."
        )
    if hinted:
        return options, said
    if hint := hint_of(location):
        said.append(f"{location} is read as a folder of images. {hint}")
    elif refused:
        said.append(f"{location} is read as a folder of images; {_NAME_IT}.")
    elif unread := annotation_file(layout):
        what = f"is of no format that clipdex found; {_NAME_IT}"
        if layout.is_empty(unread):
            what = "is empty"
        elif suffix_of(unread) in ARCHIVES:
            what = f"is packed; unpack it, and {_NAME_IT}"
        said.append(f"{location} is read as a folder of images, and its annotations are not: {unread} {what}.")
    return options, said


def hint_of(location: Path) -> str:
    """Return a sentence on a dataset near a folder that is of no known format; empty where none is known."""
    return next((hint for name in _registry.core.known() if (hint := reader_class(name).hint(location))), "")


def _meant_as(location: Path) -> str:
    """Return the format of clipdex that has the extension of a file; empty where none has."""
    suffix = suffix_of(location.name)
    return next((name for name in _registry.core.known() if suffix in reader_class(name).suffixes), "")


def _missing(name: str) -> ExtraMissing | None:
    """Return the error that names the package that a format needs and that is missing; None where none is."""
    try:
        reader_class(name).check_installed()
    except ExtraMissing as error:
        return error
    return None


def _several(location: Path, found: Mapping[str, str], *, folder: bool) -> str:
    choices = [f"--format {name} ({why})" for name, why in found.items()]
    if folder:
        choices.append(f"--format {FOLDER} (the images alone, without annotations)")
    return f"{location} may be of several formats. Say which one it is: {', or '.join(choices)}."


def no_dataset(image: Path) -> str:
    """Say that an image is no dataset, and what to do with it."""
    return (
        f"{image} is an image, and not a dataset. Index the folder that it is in ({image.parent}), or search "
        f"with it: clipdex query {quoted(image.parent)} --image {quoted(image)}"
    )


def _none(location: Path, tried: list[str], notices: list[str]) -> str:
    if suffix_of(location.name) in IMAGE_SUFFIXES:
        return no_dataset(location)
    left_out = "".join(f" ({notice})" for notice in notices)
    return (
        f"the format of {location} is not recognised: it is none of {', '.join(tried)}.{left_out} Name it with "
        f"--format FORMAT, or index the images of its folder: clipdex build {quoted(location.parent)} --format {FOLDER}"
    )
