"""Changing ``clipdex.toml``. Comments and order stay, and concurrent commands do not lose changes.

tomlkit edits the text in place. A lock in the state folder keeps other writers out, and the changed file is read again
before it replaces the old one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipdex.errors import IndexLocked, ProjectError
from clipdex.paths import expanded, quoted
from clipdex.projects.model import Outcome, Project, ProjectSource, Stage
from clipdex.projects.places import FILE_NAME, STATE_FOLDER
from clipdex.projects.reading import bad_name, open_project, parse_project, read_project
from clipdex.readers.sources import AUTO
from clipdex_indexes.storage.files import atomic_write
from clipdex_indexes.storage.lock import WriterLock

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Table

_START = """# A project of clipdex: datasets with names, and the queries that were asked of them.
version = 1
"""
_PATIENCE = 30.0
_POLL = 0.05


def create_project(folder: str | os.PathLike[str], *, model: str = "") -> Project:
    """Create a project in a folder, which is created where it is missing.

    Raises
    ------
    ProjectError
        When the folder is a project already, or the project cannot be created.
    """
    place = Path(os.path.abspath(expanded(folder)))  # noqa: PTH100
    path = place / FILE_NAME
    try:
        place.mkdir(parents=True, exist_ok=True)
        text = _START
        if model:
            from tomlkit import item

            text += f"model = {item(model).as_string()}\n"
        with _locked(place):
            if os.path.lexists(path):
                raise ProjectError(f"{place} is a project already: see it with clipdex project info -p {quoted(place)}")
            atomic_write(path, text.encode())
    except OSError as error:
        raise ProjectError(f"no project can be made in {place}: {error.strerror or error}.") from error
    return open_project(place)


def add_source(project: Project, source: ProjectSource) -> ProjectSource | None:
    """Add a source. Where a source of that name exists but its dataset does not, the source gets the new path.

    Returns
    -------
    ProjectSource or None
        The source of that name before, where it got a new path.

    Raises
    ------
    ProjectError
        When the name is taken or invalid, or another source is the same dataset.
    """
    if reason := bad_name(source.name):
        raise ProjectError(f"the source {source.name!r} {reason}. Give another one: --name NAME")
    with _editing(project) as (document, now):
        from tomlkit import nl, table

        real = os.path.realpath(now.location(source))
        for other in now.sources:
            if other.name != source.name and os.path.realpath(now.location(other)) == real:
                raise ProjectError(_already(now, other))
        old = now.source(source.name)
        if old is not None and not now.is_missing(old):
            same = os.path.realpath(now.location(old)) == real
            raise ProjectError(
                _already(now, old)
                if same
                else f"there is a source {old.name!r} already: {now.location(old)}. Give another name: --name NAME"
            )
        sources: Any = document.setdefault("sources", table(is_super_table=True))
        entry: Any = sources[source.name] if old is not None else table()
        entry["path"] = source.path
        if source.format != AUTO:
            entry["format"] = source.format
        if source.options:
            entry["options"] = _inline(source.options)
        if old is None:
            entry.add(nl())
            sources[source.name] = entry
    return old


def _already(project: Project, source: ProjectSource) -> str:
    return f"{project.location(source)} is in the project already: it is the source {source.name!r}."


def remove_source(project: Project, name: str) -> ProjectSource:
    """Remove a source from the project. Its dataset and its index stay.

    Raises
    ------
    ProjectError
        When no source has that name, or a stage needs it.
    """
    with _editing(project) as (document, now):
        source = now.source(name)
        if source is None:
            known = ", ".join(one.name for one in now.sources) or "none"
            raise ProjectError(f"the project has no source {name!r}: its sources are {known}.")
        using = [str(number) for number, stage in enumerate(now.stages, start=1) if _uses(stage, name)]
        if using:
            raise ProjectError(f"stage {', '.join(using)} needs the source {name!r}: take it out of {now.file} first.")
        sources: Any = document["sources"]
        del sources[name]
    return source


def _uses(stage: Stage, name: str) -> bool:
    """Tell whether a stage searches a source, or queries one of its items (``NAME:ID``)."""
    return name in stage.targets or any(
        "item" in kind and str(value).startswith(f"{name}:") for kind, value in stage.queries
    )


def record_stage(project: Project, stage: Stage) -> int:
    """Append a stage to the file. Where a stage asks the same question, only its outcome is written.

    Returns
    -------
    int
        The number of the stage, from 1.
    """
    with _editing(project) as (document, now):
        from tomlkit import aot, array, nl, table

        number = next((at for at, one in enumerate(now.stages) if one.question == stage.question), None)
        if number is not None:
            _set_outcome(document["stages"][number], stage.outcome)
            return number + 1
        entry = table()
        if stage.name:
            entry["name"] = stage.name
        queries = array()
        for kind, value in stage.queries:
            queries.append(_inline({kind: value}))
        entry["queries"] = queries
        if stage.targets:
            entry["targets"] = list(stage.targets)
        for key, option in stage.options.items():
            entry[key] = list(option) if isinstance(option, tuple) else option
        _set_outcome(entry, stage.outcome)
        entry.add(nl())
        stages: Any = document.setdefault("stages", aot())
        stages.append(entry)
    return len(now.stages) + 1


def _set_outcome(entry: Table, outcome: Outcome | None) -> None:
    from tomlkit import table

    if outcome is None:
        return
    result = table()
    result["model"] = outcome.model
    result["hits"] = outcome.hits
    result["sources"] = _inline(outcome.sources)
    if outcome.images:
        result["images"] = _inline(outcome.images)
    entry["result"] = result


def _inline(values: Mapping[str, str]) -> Any:  # noqa: ANN401
    from tomlkit import inline_table

    inline = inline_table()
    inline.update(values)
    return inline


@contextlib.contextmanager
def _editing(project: Project) -> Iterator[tuple[TOMLDocument, Project]]:
    """Yield the document to change, and the current project; then check the document and replace the file."""
    import tomlkit

    with _locked(project.folder):
        now = read_project(project.folder)
        text = now.file.read_bytes().decode("utf-8")
        document = tomlkit.parse(text)
        yield document, now
        changed = tomlkit.dumps(document)
        parse_project(project.folder, changed)
        if changed != text:
            atomic_write(Path(os.path.realpath(now.file)), changed.encode())


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the project's state folder; wait while another process holds it."""
    state = folder / STATE_FOLDER
    try:
        state.mkdir(exist_ok=True)
    except OSError as error:
        raise ProjectError(f"the project {folder} cannot be changed: {error.strerror or error}.") from error
    begin = time.monotonic()
    while True:
        lock = WriterLock(state)
        try:
            lock.__enter__()
            break
        except IndexLocked:
            if time.monotonic() - begin > _PATIENCE:
                raise
            time.sleep(_POLL)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
