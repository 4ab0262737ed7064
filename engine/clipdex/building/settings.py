"""How an index is built, as one object: the same for the command line, for projects, and for callers in Python.

Settings say how, and nothing of what: the dataset is named beside them. As plain JSON they have these keys; each may
be left out, and a key that is not listed is refused::

    {"schema": 1,
     "format": "auto", "options": {"root": "images"}, "index": "/indexes/photos",
     "model": "clip-vit-b-32", "project_model": "starter", "device": "CPU", "precision": "auto",
     "rebuild": false, "prune": false, "wait": false, "checkpoint_seconds": 30.0, "max_pixels": 128000000}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import Any, TypedDict

from clipdex.building.events import BuildEvents, Notice, Progress, Waiting
from clipdex.defaults import CHECKPOINT_SECONDS, MAX_PIXELS
from clipdex.encoder import AUTO, CPU
from clipdex.errors import SettingsError
from clipdex.paths import expanded
from clipdex.readers.sources import AUTO as AUTO_FORMAT

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How an index is built, checked when the object is made.

    Attributes
    ----------
    format
        Format of the dataset. ``auto`` takes the format of the index; for a new index, the format that fits.
    options
        Options of the format, texts by name. The index remembers them.
    index
        Index folder, where it is not ``.clipdex`` in the dataset.
    model
        Name or folder of the model. None takes the model of the index; for a new index, the model that the variable
        ``CLIPDEX_MODEL`` names, else ``project_model``, else the bundled model.
    project_model
        Name or folder of the model that a project has for new indexes.
    device
        What computes, as OpenVINO names it: ``CPU``, ``GPU``, ``NPU``, ``AUTO``.
    precision
        ``f32``, ``bf16`` or ``f16``. ``auto`` takes the precision of the index; for a new index, the one that the model
        prefers: the fastest of the device, or ``f32``.
    rebuild
        Whether every image is hashed again. The new index then replaces the old one at the end, whole; nothing is
        committed before.
    prune
        Whether to drop what is gone also where that is all of a folder, more than half of the index, or all of it.
        Otherwise such a build is refused, because a disk may be away.
    wait
        Whether to wait while another process writes to the index.
    checkpoint_seconds
        How many seconds pass between commits of what was hashed.
    max_pixels
        Images of more pixels are not decoded, and reported as failed.

    Raises
    ------
    SettingsError
        When one of them is not as described. What depends on the machine or the dataset (whether a format, a model or
        a device exists) is checked by the build.
    """

    format: str = AUTO_FORMAT
    options: Mapping[str, str] = field(default_factory=dict)
    index: str | os.PathLike[str] | None = None
    model: str | None = None
    project_model: str | None = None
    device: str = CPU
    precision: str = AUTO
    rebuild: bool = False
    prune: bool = False
    wait: bool = False
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for name in ("format", "device", "precision"):
            self._require(name, isinstance(getattr(self, name), str), "a text")
        for name in ("model", "project_model"):
            self._require(name, isinstance(getattr(self, name), str | None), "a text or nothing")
        for name in ("rebuild", "prune", "wait"):
            self._require(name, isinstance(getattr(self, name), int) and getattr(self, name) in (0, 1), "true or false")
            object.__setattr__(self, name, bool(getattr(self, name)))
        self._require("index", isinstance(self.index, str | os.PathLike | None), "a path or nothing")
        self._require("options", _are_texts(self.options), "texts by name")
        seconds = _number(self.checkpoint_seconds, float)
        self._require("checkpoint_seconds", seconds >= 0, "a number of seconds, at least 0")
        pixels = _number(self.max_pixels, int)
        self._require("max_pixels", pixels >= 1, "a whole number of at least 1")
        for name, value in (("options", dict(self.options)), ("checkpoint_seconds", seconds), ("max_pixels", pixels)):
            object.__setattr__(self, name, value)

    def _require(self, name: str, fits: bool, what: str) -> None:
        if not fits:
            raise SettingsError(f"{name} is {getattr(self, name)!r}, and must be {what}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for JSON; the path of the index is absolute."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["options"] = dict(self.options)
        if self.index is not None:
            values["index"] = str(expanded(self.index).absolute())
        return {"schema": SCHEMA, **{name: value for name, value in values.items() if value is not None}}

    @classmethod
    def from_dict(cls, body: object) -> BuildSettings:
        """Return the settings of a JSON object.

        Raises
        ------
        SettingsError
            When it is no JSON object, a key is unknown, or a value is not as described.
        """
        if not isinstance(body, dict):
            raise SettingsError(f"settings of a build are {body!r}, and must be a JSON object.")
        known = ("schema", *(each.name for each in fields(cls)))
        for key in body:
            if key not in known:
                raise SettingsError(
                    f"settings of a build have the unknown key {key!r}; they may have {', '.join(known)}."
                )
        values = dict(body)
        if (schema := values.pop("schema", SCHEMA)) != SCHEMA:
            raise SettingsError(f"the schema of settings is {schema!r}, and this clipdex reads schema {SCHEMA}.")
        return cls(**values)


class BuildKeywords(TypedDict, total=False):
    """What ``clipdex.build`` takes by name: the attributes of ``BuildSettings`` and of ``BuildEvents``."""

    format: str
    options: Mapping[str, str]
    index: str | os.PathLike[str] | None
    model: str | None
    project_model: str | None
    device: str
    precision: str
    rebuild: bool
    prune: bool
    wait: bool
    checkpoint_seconds: float
    max_pixels: int
    waiting: Waiting | None
    progress: Progress | None
    notice: Notice | None


def with_keywords(
    settings: BuildSettings, events: BuildEvents, keywords: Mapping[str, Any], function: str
) -> tuple[BuildSettings, BuildEvents]:
    """Return settings and events with the attributes that the keywords of a function replace.

    Raises
    ------
    TypeError
        When there is no such attribute.
    """
    for name in keywords:
        if name not in BuildKeywords.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    of_events = {name: value for name, value in keywords.items() if hasattr(events, name)}
    of_settings = {name: value for name, value in keywords.items() if name not in of_events}
    return replace(settings, **of_settings), replace(events, **of_events)


def _are_texts(options: object) -> bool:
    return isinstance(options, Mapping) and all(isinstance(text, str) for pair in options.items() for text in pair)


def _number(value: object, kind: type[int] | type[float]) -> float:
    """Return ``value`` as a number of this kind; -1 where it is none. ``1e9`` is a whole number, ``True`` is none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return -1
    try:
        number = kind(float(value) if kind is float else value)  # type: ignore[arg-type]
    except (OverflowError, ValueError):  # too large for a float; infinite, or not a number
        return -1
    return number if number == value else -1
