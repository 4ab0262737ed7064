"""What a build decides before it hashes anything: how the dataset is read, by which model, in which precision."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from clipdex.building.planning import Plan
from clipdex.building.settings import BuildSettings
from clipdex.datasets.above import has_index
from clipdex.datasets.dataset import as_indexed
from clipdex.datasets.failures import Listed, read_listed
from clipdex.datasets.provenance import model_for_new_index, model_of
from clipdex.encoder import AUTO, Model, find_model, nearest_precision
from clipdex.errors import IndexFailure, ModelMismatch
from clipdex.paths import is_there
from clipdex.readers.base import Reader, ReadItem, UnreadableItem
from clipdex.readers.ordering import in_item_order
from clipdex.readers.sources import AUTO as AUTO_FORMAT
from clipdex.readers.sources import Source, require_first
from clipdex_indexes import Snapshot, read_manifest


class Reading:
    """A dataset that is being read."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._items = reader.read()

    @classmethod
    def begun(cls, reader: Reader) -> Reading:
        """Read the first item of a dataset; errors as of ``require_items``."""
        reading = cls(reader)
        reading.require_items()
        return reading

    def require_items(self) -> None:
        """Read the first item.

        Raises
        ------
        DatasetEmpty
            When there is none.
        """
        self._items = itertools.chain([require_first(self.reader, self._items)], self._items)

    def items(self) -> Iterator[ReadItem | UnreadableItem]:
        """Return the items, once, in item order."""
        return in_item_order(self.reader, self._items)


def listed_before(folder: Path) -> Listed:
    """Return what the last build listed, if that can be read."""
    with contextlib.suppress(IndexFailure):
        return read_listed(folder)
    return Listed()


def plan_of_rebuild(
    stack: contextlib.ExitStack, reader: Reader, folder: Path, scanned: Callable[[int], None] | None = None
) -> Plan | None:
    """Compare a dataset with the index that a rebuild replaces.

    Parameters
    ----------
    stack
        What closes the index and the plan.
    reader
        The dataset.
    folder
        The index folder.
    scanned
        As ``Plan.compare`` takes it.

    Returns
    -------
    The plan; None where the index cannot be read, because a rebuild is the way out of a damaged one.
    """
    try:
        old = stack.enter_context(Snapshot(folder))
        plan = stack.enter_context(Plan(reader, old))
        plan.compare(in_item_order(reader), scanned)
    except IndexFailure:
        return None
    return plan


def is_read_as_before(source: Source, folder: Path) -> bool:
    """Tell whether an index is of a source, in the same format with the same options; False where it cannot be read."""
    try:
        manifest = read_manifest(folder)
    except IndexFailure:
        return False
    recorded = Path(manifest.root or source.location)
    if is_there(recorded) and os.path.realpath(recorded) != os.path.realpath(source.location):
        return False
    return (source.format, dict(source.options)) == (manifest.source_format, dict(manifest.source_options))


def source_to_read(source: Source, folder: Path, *, rebuild: bool) -> Source:
    """Return the source with the format and options of its index; an index that is replaced need not be readable.

    Raises
    ------
    DatasetError
        When format or options are not those of the index.
    IndexFailure
        When the index cannot be read, and is not replaced.
    """
    if not has_index(folder):
        return source
    try:
        manifest = read_manifest(folder)
    except IndexFailure:
        if not rebuild:
            raise
        return source
    anew = rebuild and (source.format != AUTO_FORMAT or source.options)
    return source if anew else as_indexed(source, manifest)


def model_for(base: Snapshot | None, settings: BuildSettings, root: Path) -> tuple[Model, str]:
    """Return the model that hashes, and who chose it, as the end of a sentence.

    Raises
    ------
    ModelError
        When there is no such model, it cannot be used, or it is not the one of the index.
    """
    if base is None:
        return model_for_new_index(settings.model, settings.project_model)
    stamp = base.manifest.model
    model = find_model(settings.model) if settings.model is not None else model_of(base, root)
    if model.digest != stamp.digest:
        other = f"model {model.name!r}" if model.name != stamp.name else f"another version of model {model.name!r}"
        raise ModelMismatch(
            f"the index of {root} was hashed by model {stamp.name!r} ({stamp.digest[:12]}), and not by {other} "
            f"({model.digest[:12]}). Their hash keys cannot be mixed: add --rebuild to hash everything again."
        )
    return model, "that of the index"


def precision_for(base: Snapshot | None, settings: BuildSettings, root: Path) -> str:
    """Return the precision to hash in, as ``Encoder`` takes it.

    Raises
    ------
    ModelMismatch
        When another one than that of the index is asked for.
    """
    if base is None:
        return settings.precision
    stamp = base.manifest.model
    if settings.precision not in (AUTO, stamp.precision):
        raise ModelMismatch(
            f"the index of {root} was hashed in {stamp.precision}, and not in {settings.precision}, which gives a few "
            "other bits: leave out --precision, or add --rebuild to hash everything again."
        )
    return nearest_precision(stamp.precision, settings.device)
