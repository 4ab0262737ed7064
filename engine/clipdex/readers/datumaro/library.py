"""Using Datumaro as a library: it is imported late and kept quiet, and its errors become errors of clipdex."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from clipdex.errors import DatasetError
from clipdex.extras import optional
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.base import UnreadableItem
from clipdex.readers.datumaro.quiet import PACKAGE, quiet
from clipdex.readers.naming import shown

EXTRA = "datumaro"
_LONGEST_REASON = 500
# Importers that refuse a folder with anything else in it, such as our index.
_NOTHING_BUT_IMAGES = frozenset({"imagenet"})


class Reports:
    """What Datumaro reports while it reads a dataset.

    Parameters
    ----------
    root
        The folder that paths of files are relative to.
    problems
        Gets the annotations that it cannot read, and what it warns of.

    Attributes
    ----------
    failed
        Items that it cannot read.
    """

    def __init__(self, root: Path, problems: AnnotationProblems) -> None:
        self._file = re.compile(re.escape(os.fspath(root).rstrip(os.sep) + os.sep) + r"([^'\"`,;:()\n]+)")
        self._name = root.name or "."
        self._problems = problems
        self.failed: list[UnreadableItem] = []

    def item(self, item_id: str, reason: str) -> None:
        """Note an item that cannot be read."""
        self.failed.append(UnreadableItem(item_id, f"Datumaro cannot read it: {reason}"))

    def annotation(self, item_id: str, reason: str) -> None:
        """Note an annotation of an item that cannot be read."""
        self._problems.add(shown(item_id), f"of this image, Datumaro cannot read an annotation: {reason}")

    def said(self, sentence: str) -> None:
        """Note what Datumaro logged, warned of or printed."""
        named = self._file.search(sentence)
        sentence = shown(sentence).rstrip(".")
        self._problems.add(shown(named[1]).rstrip(" .") if named else self._name, f"Datumaro says: {sentence}")

    def forget(self) -> None:
        """Forget all of it: the dataset is read in another way."""
        self.failed.clear()
        self._problems.clear()


def is_installed() -> bool:
    """Tell whether Datumaro is installed, without importing it."""
    return importlib.util.find_spec(PACKAGE) is not None


def module(name: str, purpose: str) -> ModuleType:
    """Import a module of Datumaro.

    Raises
    ------
    ExtraMissing
        When it is not installed.
    """
    with quiet():
        optional(PACKAGE, EXTRA, purpose)
        return importlib.import_module(f"{PACKAGE}.{name}")


@contextlib.contextmanager
def datumaro_errors(format_name: str, location: Path) -> Iterator[None]:
    """Turn any error of Datumaro and its plugins into a ``DatasetError`` with its message."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:  # importers let through everything from KeyError to errors of XML parsers
        raise DatasetError(
            f"Datumaro cannot read {location} in format {format_name}: {_reason(error)}. If that is not its format, "
            "name another one with --format."
        ) from error


def _reason(error: BaseException) -> str:
    """Return the messages of an error and of its causes, in one line."""
    said: dict[str, None] = {}
    cause: BaseException | None = error
    for _ in range(5):
        if cause is None:
            break
        text = " ".join(str(cause).split())
        if text and not text.startswith("Failed to import dataset"):
            said[text if " " in text else f"{type(cause).__name__}: {text}"] = None
        cause = cause.__cause__ or cause.__context__
    reason = "; ".join(said) or type(error).__name__
    return reason.rstrip(".")[:_LONGEST_REASON].encode(errors="backslashreplace").decode()


class OpenDataset:
    """A dataset that Datumaro has opened. It has one part or, where categories differ, several.

    Parameters
    ----------
    parts
        Datasets of Datumaro.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = parts

    def items(self) -> Iterator[tuple[Any, list[str]]]:
        """Yield the items, each with the names of the categories of its part. Iterate within ``quiet``."""
        for part in self._parts:
            names = _category_names(part)
            for item in part:
                yield item, names

    def get(self, item_id: str, subset: str) -> Any | None:  # noqa: ANN401
        """Return an item; the dataset must not be opened with ``stream``."""
        found = (part.get(item_id, subset) for part in self._parts)
        return next((item for item in found if item is not None and item.subset == subset), None)


def _category_names(dataset: Any) -> list[str]:  # noqa: ANN401
    for kind, categories in dataset.categories().items():
        if kind.name == "label":
            return [category.name for category in categories]
    return []


def open_dataset(
    format_name: str, location: Path, options: Mapping[str, str], *, stream: bool, reports: Reports | None = None
) -> OpenDataset:
    """Open a dataset with Datumaro; with ``stream``, item by item where the importer can do that.

    Items and annotations that cannot be read are left out; ``reports`` notes them.

    Raises
    ------
    ExtraMissing
        When Datumaro is not installed.
    DatasetError
        When there is no such format or option, a package that its importer needs is not installed, or the dataset
        cannot be read.
    """
    purpose = f"Reading the format {format_name}"
    datasets = module("components.dataset", purpose)
    environment = module("components.environment", purpose).Environment()
    importing = module("components.importer", purpose)
    reports = reports or Reports(location, AnnotationProblems())
    with quiet(reports.said):
        if format_name not in environment.importers:
            raise DatasetError(f"Datumaro {_version()} has no format {format_name!r}.")
        try:
            importer = environment.importers[format_name]
        except ImportError as error:
            raise DatasetError(f"{purpose} needs a package that is not installed: {error}.") from error
        policy = _policy(importing.ImportErrorPolicy, reports)
        with datumaro_errors(format_name, location):
            arguments = _arguments(importer, format_name, options)

            def attempt(kind: Any) -> Any:  # noqa: ANN401
                return kind.import_from(str(location), format_name, env=environment, error_policy=policy, **arguments)

            try:
                if stream and importer().can_stream:
                    # Streaming asks for more than reading: COCO's for sections that files of other tools do not have.
                    with contextlib.suppress(importing.DatasetImportError):
                        return OpenDataset([attempt(datasets.StreamDataset)])
                    reports.forget()
                return OpenDataset([attempt(datasets.Dataset)])
            except importing.DatasetImportError as error:
                context = importing.ImportContext(error_policy=policy)
                sources: Any
                if isinstance(error, importing.DatasetNotFoundError) and format_name in _NOTHING_BUT_IMAGES:
                    sources = [{"format": format_name, "url": str(location), "options": arguments}]
                elif "different categories" in _reason(error):
                    # Subsets that number their categories differently: Datumaro does not merge them.
                    sources = importer()(str(location), **arguments)
                else:
                    raise
                return OpenDataset(
                    [
                        environment.make_extractor(part["format"], part["url"], ctx=context, **part.get("options", {}))
                        for part in sources
                    ]
                )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    with contextlib.suppress(PackageNotFoundError):
        return version(PACKAGE)
    return ""


def _policy(base: Any, reports: Reports) -> Any:  # noqa: ANN401
    """Return an error policy of Datumaro with which an import goes on after an error."""

    class GoOn(base):  # type: ignore[misc]
        def report_item_error(self, error: Exception, *, item_id: Sequence[Any]) -> None:
            reports.item(str(item_id[0]), _reason(error))

        def report_annotation_error(self, error: Exception, *, item_id: Sequence[Any]) -> None:
            reports.annotation(str(item_id[0]), _reason(error))

    return GoOn()


def _arguments(importer: Any, format_name: str, options: Mapping[str, str]) -> dict[str, Any]:  # noqa: ANN401
    """Turn options, which are texts, into the arguments of an importer, as its command line would."""
    if not options:
        return {}
    known = {
        action.dest: action
        for action in importer.build_cmdline_parser()._actions
        if action.dest not in ("help", "path")
    }
    arguments: dict[str, Any] = {}
    for name, text in options.items():
        action = known.get(name)
        if action is None:
            names = f"its options are {', '.join(known)}" if known else "it has none"
            raise DatasetError(f"the format {format_name} has no option {name!r}: {names}.")
        if action.nargs == 0:
            if text.lower() not in ("true", "false"):
                raise DatasetError(f"the option {name} of format {format_name} is {text!r}, and must be true or false.")
            arguments[name] = action.const if text.lower() == "true" else action.default
            continue
        convert: Callable[[str], Any] = action.type if callable(action.type) else str
        try:
            arguments[name] = convert(text)
        except (ValueError, TypeError) as error:
            raise DatasetError(f"the option {name} of format {format_name} cannot be {text!r}.") from error
    return arguments
