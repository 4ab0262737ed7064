"""Reading ``clipdex.toml``. People write it, perhaps strangers, so every value is checked.

The TOML parser of Python reads it, and messages name the line of an error.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from clipdex.errors import IndexCorrupt, ProjectFileInvalid, ProjectNotFound
from clipdex.paths import expanded, quoted
from clipdex.projects.lines import Where, line_of
from clipdex.projects.model import OptionValue, Outcome, Project, ProjectSource, Stage
from clipdex.projects.places import FILE_NAME, find_project
from clipdex.readers.sources import AUTO
from clipdex_indexes.storage.files import read_text

VERSION = 1
_MAX_BYTES = 16 << 20
_T = TypeVar("_T")
# The keys of a stage that are not options of its query.
_OF_STAGES = ("queries", "targets", "name", "result")


def open_project(folder: str | os.PathLike[str] | None = None, *, trust: bool = False) -> Project:
    """Read the project in ``folder``, or the one that contains the current folder.

    Parameters
    ----------
    folder
        Folder of the project; None: the one around the current folder.
    trust
        Whether to load the plugins of the project, which runs their code. What is left out of them, and why, is a
        ``UserWarning``.

    Raises
    ------
    ProjectNotFound
        When there is no project.
    ProjectFileInvalid
        When its file cannot be read.
    DatasetError
        When its plugins are to be loaded, and cannot be read.
    """
    project = _opened(folder)
    if trust:
        import warnings

        from clipdex.projects.plugins import plugins_of
        from clipdex.readers.formats import use_plugins

        files = plugins_of(project)
        for sentence in use_plugins(files) if files is not None else ():
            warnings.warn(sentence, stacklevel=2)
    return project


def _opened(folder: str | os.PathLike[str] | None) -> Project:
    if folder is None:
        found = find_project()
        if found is None:
            raise ProjectNotFound(
                f"neither {Path.cwd()} nor a folder above it is a project (it would have a {FILE_NAME}). Name one with "
                "--project DIR, or make one: clipdex project create"
            )
        return read_project(found)
    named = Path(os.path.abspath(expanded(folder)))  # noqa: PTH100
    if not (named / FILE_NAME).is_file():
        raise ProjectNotFound(
            f"{named} is no project: it has no {FILE_NAME}. Make one: clipdex project create {quoted(named)}"
        )
    return read_project(named)


def read_project(folder: Path) -> Project:
    """Read the project in ``folder``, an absolute path.

    Raises
    ------
    ProjectFileInvalid
        When its file cannot be read.
    """
    path = folder / FILE_NAME
    try:
        return parse_project(folder, read_text(path, _MAX_BYTES))
    except OSError as error:
        raise ProjectFileInvalid(f"{path} cannot be read: {error.strerror or error}.") from error
    except IndexCorrupt as error:
        raise ProjectFileInvalid(error.message) from error
    except UnicodeDecodeError as error:
        raise ProjectFileInvalid(f"{path} is not UTF-8, from byte {error.start}.") from error


def parse_project(folder: Path, text: str) -> Project:
    """Return the project that the text of its file describes.

    Raises
    ------
    ProjectFileInvalid
        When the text is not TOML, or an entry is invalid; the message names the line.
    """
    path = folder / FILE_NAME
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProjectFileInvalid(f"{path} is not TOML: {error}.") from error
    except RecursionError as error:
        raise ProjectFileInvalid(f"{path} is nested too deeply.") from error
    return _Checked(path, text).project(folder, body)


class _Checked:
    """Typed access to the tables of one file."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text

    def project(self, folder: Path, body: dict[str, Any]) -> Project:
        self._only(body, ("version", "model", "plugins", "sources", "stages"), ())
        version = self._get(body, "version", int, VERSION, ())
        if isinstance(version, bool) or version < 1:
            self._refuse(("version",), f"version is {version!r}", f"expected {VERSION}")
        if version > VERSION:
            self._refuse(("version",), f"version is {version}", f"this clipdex reads {VERSION}: update clipdex")
        plugins = self._get(body, "plugins", str, "", ())
        if Path(plugins).is_absolute() or ".." in Path(plugins).parts:
            self._refuse(("plugins",), f"plugins is {plugins!r}", "expected a folder in the project")
        sources = self._get(body, "sources", dict, {}, ())
        names = [name for name in sources if self._source_name(name)]
        read = tuple(self._source(name, sources[name]) for name in names)
        stages = self._get(body, "stages", list, [], ())
        return Project(
            folder,
            self._get(body, "model", str, "", ()),
            plugins,
            read,
            tuple(self._stage(number, stage, names) for number, stage in enumerate(stages)),
        )

    def _source_name(self, name: str) -> bool:
        if reason := bad_name(name):
            self._refuse(("sources", name), f"the source {name!r} {reason}", "expected another name")
        return True

    def _source(self, name: str, table: object) -> ProjectSource:
        where: Where = ("sources", name)
        source = self._typed(table, dict, where, f"[sources.{name}]")
        self._only(source, ("path", "format", "options"), where)
        path = self._get(source, "path", str, "", where)
        if not path or "\0" in path:
            self._refuse(where, f"[sources.{name}] has no path", 'expected path = "where the dataset is"')
        options = self._get(source, "options", dict, {}, where)
        for key, value in options.items():
            self._typed(value, str, (*where, "options", key), f"the option {key!r}")
        return ProjectSource(name, path, self._get(source, "format", str, AUTO, where) or AUTO, options)

    def _stage(self, number: int, table: object, sources: list[str]) -> Stage:
        where: Where = ("stages", number)
        stage = self._typed(table, dict, where, "[[stages]]")
        asked = self._get(stage, "queries", list, [], where)
        if not asked:
            self._refuse(where, f"stage {number + 1} has no queries", 'expected queries = [{text = "a dog"}]')
        queries: list[tuple[str, str]] = []
        for query in asked:
            if not (isinstance(query, dict) and len(query) == 1 and all(isinstance(v, str) for v in query.values())):
                self._refuse(
                    (*where, "queries"),
                    f"a query is {query!r}",
                    'expected {text = "..."}, {image = "..."} or so',
                )
            queries += query.items()
        targets = tuple(self._list(stage, "targets", where))
        for target in targets:
            if target not in sources:
                known = ", ".join(sources) or "none"
                self._refuse((*where, "targets"), f"there is no source {target!r}", f"the sources are: {known}")
        options = {
            key: self._option(value, (*where, key), key) for key, value in stage.items() if key not in _OF_STAGES
        }
        result = self._get(stage, "result", dict, {}, where)
        return Stage(
            tuple(queries),
            targets,
            options,
            self._get(stage, "name", str, "", where),
            self._outcome(result, (*where, "result")) if result else None,
            line_of(self._text, where),
        )

    def _outcome(self, table: dict[str, Any], where: Where) -> Outcome:
        self._only(table, ("model", "hits", "sources", "images"), where)
        return Outcome(
            self._get(table, "model", str, "", where),
            self._get(table, "hits", str, "", where),
            self._texts(table, "sources", where),
            self._texts(table, "images", where),
        )

    def _option(self, value: object, where: Where, key: str) -> OptionValue:
        if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
            return tuple(value)
        if isinstance(value, str | int | float | bool):
            return value
        self._refuse(where, f"{key} is {value!r}", "expected a text, a number, true, false, or a list of texts")

    def _texts(self, table: dict[str, Any], key: str, where: Where) -> Mapping[str, str]:
        texts = self._get(table, key, dict, {}, where)
        for name, value in texts.items():
            self._typed(value, str, (*where, key, name), f"{key}.{name}")
        return texts

    def _list(self, table: dict[str, Any], key: str, where: Where) -> list[str]:
        values = self._get(table, key, list, [], where)
        return [self._typed(value, str, (*where, key), f"one of {key}") for value in values]

    def _get(self, table: dict[str, Any], key: str, kind: type[_T], default: _T, where: Where) -> _T:
        return self._typed(table[key], kind, (*where, key), key) if key in table else default

    def _typed(self, value: object, kind: type[_T], where: Where, what: str) -> _T:
        if not isinstance(value, kind):
            self._refuse(where, f"{what} is {value!r}", f"expected {_KINDS[kind]}")
        return value

    def _only(self, table: dict[str, Any], known: tuple[str, ...], where: Where) -> None:
        for key in table:
            if key not in known:
                self._refuse((*where, key), f"{key!r} means nothing here", f"expected {', '.join(known)}")

    def _refuse(self, where: Where, what: str, expected: str) -> NoReturn:
        line = line_of(self._text, where)
        raise ProjectFileInvalid(f"{self._path}, line {line}: {what}; {expected}.")


_KINDS: Mapping[type, str] = {str: "a text", int: "a number", list: "a list", dict: "a table"}


def bad_name(name: str) -> str:
    """Return what is wrong with the name of a source, or an empty text. Names are parts of ids and paths."""
    if not name or not name.isprintable() or name != name.strip():
        return "has a name that cannot be shown"
    if name[0] in ".-" or any(one in "/\\:" for one in name):
        return "begins with a dot or a dash, or has a slash or a colon in its name"
    return ""
