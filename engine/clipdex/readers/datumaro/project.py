"""Reading a project of Datumaro, which had them up to 1.11: its sources, so that one of ours can be made of them.

A project is a folder with ``.datumaro/tree/config.yml`` (before 0.2: ``.datumaro/config.yaml``), which names the
sources. The data of a source was copied to a folder of its name in the project; where that is gone, the address that
it came from is taken.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from clipdex.errors import DatasetError, DatasetNotFound
from clipdex.paths import is_there
from clipdex.readers.sources import Source
from clipdex_indexes.errors import IndexCorrupt
from clipdex_indexes.storage.files import read_text

_FOLDER = ".datumaro"
_TREE = "tree/config.yml"
_OLD = "config.yaml"
_MAX_BYTES = 16 << 20


def read_datumaro_project(folder: Path) -> list[Source]:
    """Return the sources of a project of Datumaro, in the order of its configuration.

    Parameters
    ----------
    folder
        The folder of the project, or the ``.datumaro`` in it.

    Returns
    -------
    list of Source
        Absolute locations, formats as Datumaro calls them, options as texts, and the names of the sources. A location
        need not exist.

    Raises
    ------
    DatasetNotFound
        When there is no such project.
    DatasetError
        When its configuration cannot be read, is not what Datumaro wrote, or leads out of where it may.
    """
    root = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay as the user named them
    if root.name == _FOLDER:
        root = root.parent
    path = next((root / _FOLDER / name for name in (_TREE, _OLD) if (root / _FOLDER / name).is_file()), None)
    if path is None:
        if (root / _FOLDER).is_dir():
            raise DatasetNotFound(f"the project in {root} has no sources: there is no {_FOLDER}/{_TREE} in it.")
        raise DatasetNotFound(f"there is no project of Datumaro in {root}: it has no folder {_FOLDER}.")
    sources = _load(path).get("sources") or {}
    if not isinstance(sources, dict):
        raise _not_ours(path, "sources are no mapping of names")
    return [_source(root, path, name, entry) for name, entry in sources.items()]


def _load(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path, _MAX_BYTES)
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            # A few lines of them stand for gigabytes, and Datumaro wrote none.
            raise _not_ours(path, "it has aliases")
        body = yaml.safe_load(text)
    except IndexCorrupt as error:
        raise DatasetError(error.message) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}.") from error
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise _not_ours(path, "it is no mapping")
    return body


def _source(root: Path, path: Path, name: object, entry: object) -> Source:
    if not isinstance(name, str) or not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise _not_ours(path, f"{name!r} is no name of a source")
    if not isinstance(entry, dict):
        raise _not_ours(path, f"source {name!r} is no mapping")
    texts = {}
    for key in ("url", "path", "format"):
        value = entry.get(key) or ""
        if not isinstance(value, str) or "\0" in value:
            raise _not_ours(path, f"{key} of source {name!r} is no text")
        texts[key] = value
    if not texts["format"]:
        raise _not_ours(path, f"source {name!r} has no format")
    options = entry.get("options") or {}
    if not isinstance(options, dict):
        raise _not_ours(path, f"options of source {name!r} are no mapping")
    return Source(
        _location(root, path, name, texts["url"], texts["path"]),
        texts["format"].lower(),
        {str(key): _text(path, name, key, value) for key, value in options.items() if value is not None},
        name,
    )


def _location(root: Path, path: Path, name: str, url: str, below: str) -> Path:
    """Return where the data of a source is: in the project, or where it came from."""
    if below and (Path(below).is_absolute() or ".." in Path(below).parts):
        raise _not_ours(path, f"the path {below!r} of source {name!r} leads out of its folder")
    if path.name == _OLD:  # before 0.2, addresses were relative to a folder for each source
        return Path(os.path.normpath(root / "sources" / name / url))
    copied = root / name
    if is_there(copied) or not url:
        return copied / below if below else copied
    # ``path`` is below the copy; of a source that is one file, the address is that file.
    came_from = Path(os.path.normpath(root / url))
    return came_from / below if below and is_there(came_from / below) else came_from


def _text(path: Path, name: str, key: object, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise _not_ours(path, f"the option {key!r} of source {name!r} is no text, number, true or false")


def _not_ours(path: Path, what: str) -> DatasetError:
    return DatasetError(f"{path} is no project that Datumaro wrote: {what}.")
