"""Building an index, from the target to the report.

A build decides twice what it reads and replaces. Before it takes the lock of the writer, it refuses what cannot be
built. With the lock held it decides again: another process may have made an index while this one waited.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipdex.building.events import BuildEvents
from clipdex.building.losses import Guard
from clipdex.building.pipeline import Run
from clipdex.building.planning import Plan
from clipdex.building.settings import BuildKeywords, BuildSettings
from clipdex.building.unchanged import is_unchanged, remember
from clipdex.datasets.dataset import as_indexed, has_index, recordable, require_same_root
from clipdex.datasets.failures import Failure, Listed, read_listed, write_listed
from clipdex.datasets.provenance import model_for_new_index, model_of
from clipdex.encoder import (
    AUTO,
    Encoder,
    Model,
    find_model,
    nearest_precision,
)
from clipdex.errors import DatasetEmpty, IndexFailure, ModelMismatch
from clipdex.paths import is_there
from clipdex.readers.base import ANNOTATION, AWAY, DAMAGED, Reader, ReadItem, UnreadableItem
from clipdex.readers.ordering import in_item_order
from clipdex.readers.passing_over import said
from clipdex.readers.sources import AUTO as AUTO_FORMAT
from clipdex.readers.sources import Source, Target, index_folder, locate, open_fitting, open_reader, tried_in_vain
from clipdex.version import WRITER
from clipdex_indexes import IndexWriter, Snapshot, read_manifest

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. Each item has one outcome.

    Attributes
    ----------
    root, index
        The dataset, and its index folder.
    model, model_choice
        Name of the model, and who chose it, as the end of a sentence.
    device, precision
        Device that hashed the images, and its precision.
    index_precision
        Precision that the index names. It differs from ``precision`` where this device does not have it.
    added
        Number of new items. They were hashed, except further copies of content that the index had of a moved file.
    changed
        Number of items with other content. They were hashed.
    touched
        Number of items of which only the time, the labels or the path of the file changed. They were not hashed.
    renamed
        Number of items whose content the index had under another id. They were not hashed.
    unchanged
        Number of items that are as they were.
    removed
        Number of items that are not in the dataset any more.
    kept
        Number of items that stay in the index because nobody can tell what is there now, such as those below a folder
        without permission, or on a disk that is away.
    failed
        Files that are not in the index, and folders that could not be read, with the reason.
    items
        Number of items in the index.
    seconds
        Wall-clock time.
    damaged
        Items that are in the index as far as their damaged files go, with what is wrong. They did not fail.
    passed_over
        What users may take for images, and is not read: the number of files by extension in lower case (``.cr2``), and
        of folders of systems by name with a slash after it (``@eaDir/``). The former also has images that only an
        optional package reads.
    annotations
        The first annotations that could not be read, by file and with the reason. Their images are in the index.
    annotation_problems
        Number of annotations that could not be read.
    remarks
        Sentences on what else was found in the dataset, such as images that no annotation file names.
    """

    root: Path
    index: Path
    model: str
    model_choice: str
    device: str
    precision: str
    index_precision: str
    added: int
    changed: int
    touched: int
    renamed: int
    unchanged: int
    removed: int
    kept: int
    failed: tuple[Failure, ...]
    items: int
    seconds: float
    damaged: tuple[Failure, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    annotations: tuple[Failure, ...] = ()
    annotation_problems: int = 0
    remarks: tuple[str, ...] = ()


class Reading:
    """A dataset that is being read; its fingerprint is taken first."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        # Taken before anything is read, so that a change during the build gives another fingerprint.
        self.fingerprint = reader.fingerprint() or None
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
        first = next((item for item in self._items if not _is_away(item)), None)
        if first is None:
            passed_over = said(self.reader.passed_over)
            raise DatasetEmpty(
                f"there are no images in {self.reader.location}: nothing was indexed."
                f"{f' Passed over: {passed_over}.' if passed_over else ''}{tried_in_vain(self.reader)}"
            )
        self._items = itertools.chain([first], self._items)

    def items(self) -> Iterator[ReadItem | UnreadableItem]:
        """Return the items, once, in item order."""
        return in_item_order(self.reader, self._items)


def _is_away(item: ReadItem | UnreadableItem) -> bool:
    return isinstance(item, UnreadableItem) and item.kind == AWAY


def build(
    target: Target,
    settings: BuildSettings | None = None,
    events: BuildEvents | None = None,
    **keywords: Unpack[BuildKeywords],
) -> BuildReport:
    """Make the index of a dataset, or bring it up to date.

    It hashes only images with new content, and drops items that are gone, many of them only with ``prune``. It commits
    what was hashed every ``checkpoint_seconds`` and on ``KeyboardInterrupt``; the next build goes on from there.

    Parameters
    ----------
    target
        A folder of images, another dataset, ``path:format``, or a pattern.
    settings
        How to build.
    events
        What to call while it runs.
    **keywords
        Attributes of ``BuildSettings`` and ``BuildEvents``. They replace those of ``settings`` and ``events``:
        ``build("photos", rebuild=True)``.

    Raises
    ------
    SettingsError
        When a setting is not what it should be.
    DatasetNotFound, DatasetEmpty
        When there is no such dataset; when it holds no image at all. An index that is there is kept.
    DatasetShrunk
        When more than half of the index is gone, or all of a folder, and ``prune`` is off. Nothing is dropped.
    DatasetError
        When the format is unknown, or format or options are not those of the index.
    ModelError
        When the model cannot be used, is not the model of the index, or ran in another precision for it; when there is
        no such device.
    IndexFailure
        When the index is damaged, locked by another process, or cannot be written.
    """
    settings, events = _settings_of(settings or BuildSettings(), events or BuildEvents(), keywords)
    return _build(target, settings, events)


def _settings_of(
    settings: BuildSettings, events: BuildEvents, keywords: Mapping[str, Any]
) -> tuple[BuildSettings, BuildEvents]:
    """Return settings and events with the attributes that keywords replace."""
    for name in keywords:
        if name not in BuildKeywords.__annotations__:
            raise TypeError(f"build() got an unexpected keyword argument {name!r}")
    of_events = {name: value for name, value in keywords.items() if hasattr(events, name)}
    of_settings = {name: value for name, value in keywords.items() if name not in of_events}
    return replace(settings, **of_settings), replace(events, **of_events)


def _build(target: Target, settings: BuildSettings, events: BuildEvents) -> BuildReport:
    begin = time.perf_counter()
    source = locate(target, settings.format, settings.options)
    root = source.location
    folder = index_folder(source, settings.index)
    # Decided now, so that nobody waits in vain for what cannot be built, and once more with the lock held: another
    # process may make, replace or delete the index while this one waits.
    expected = _source_to_read(source, folder, rebuild=settings.rebuild)
    reading: Reading | None = None
    if has_index(folder):
        reader = open_reader(expected)
    else:
        _model_for(None, settings, root)  # a model that does not exist is said before the dataset is read
        reading = open_fitting(expected, Reading.begun)
        reader = reading.reader
    with IndexWriter(folder, fresh=settings.rebuild, wait=settings.wait, waiting=events.waiting) as writer:
        replaces = has_index(folder)
        to_read = _source_to_read(source, folder, rebuild=settings.rebuild)
        if to_read != expected:
            reader, reading = open_reader(to_read), None
        if events.notice is not None:
            for sentence in reader.notices:
                events.notice(sentence)
        if writer.base is not None:
            require_same_root(writer.base, root)
        chosen, why = _model_for(writer.base, settings, root)
        wanted = _precision_for(writer.base, settings, root)
        encoder = Encoder(chosen, many=True, device=settings.device, precision=wanted)
        if writer.base is None:
            recorded = recordable(root) if settings.index is not None else ""
            writer.start(encoder.stamp, reader.format, WRITER, recorded, reader.options)
        index_precision = writer.base.manifest.model.precision if writer.base is not None else encoder.precision
        steps = None if settings.rebuild and replaces else settings.checkpoint_seconds
        before = _listed_before(folder)
        damaged = before.of_kind(DAMAGED)
        guard = None if settings.prune else Guard(root, settings.index, settings.rebuild)
        run = Run(reader, encoder, writer, settings.max_pixels, steps, events.progress, damaged, guard)
        base = writer.base
        listed: Listed | None = None
        if reading is None or replaces:
            reading = Reading(reader)
        if base is not None and base.manifest.complete and is_unchanged(folder, reading.fingerprint):
            run.counts.unchanged = len(base)
            run.damaged = damaged
            reader.passed_over.update(before.passed_over)
            listed = replace(before, failures=[*damaged, *before.of_kind(ANNOTATION)])
        elif settings.rebuild and replaces and guard is not None:
            _rebuild(run, reading, folder, guard, as_before=_is_read_as_before(to_read, folder))
        else:
            run.run(reading.items())
        if listed is None:
            listed = run.listed
        items = writer.commit().items if writer.base is not None or replaces or run.counts.written else 0
        if items and not run.failed and not run.needing_extra:
            remember(folder, reading.fingerprint)
        write_listed(folder, listed)
    return BuildReport(
        root=root,
        index=folder,
        model=encoder.model.name,
        model_choice=why,
        device=settings.device,
        precision=encoder.precision,
        index_precision=index_precision,
        **asdict(run.counts),
        failed=tuple(run.failed),
        items=items,
        seconds=time.perf_counter() - begin,
        damaged=tuple(run.damaged),
        passed_over=dict(run.passed_over),
        annotations=tuple(listed.of_kind(ANNOTATION)),
        annotation_problems=listed.annotation_problems,
        remarks=listed.remarks,
    )


def _listed_before(folder: Path) -> Listed:
    """Return what the last build listed, if that can be read."""
    with contextlib.suppress(IndexFailure):
        return read_listed(folder)
    return Listed()


def _rebuild(run: Run, reading: Reading, folder: Path, guard: Guard, *, as_before: bool) -> None:
    """Hash everything, and refuse to replace an index by much less.

    Parameters
    ----------
    run
        The build.
    reading
        The dataset.
    folder
        The index folder.
    guard
        What refuses.
    as_before
        Whether the dataset is read as it was for the index, so that the two can be compared.
    """
    with contextlib.ExitStack() as stack:
        try:
            old = stack.enter_context(Snapshot(folder))
            plan = stack.enter_context(Plan(reading.reader, old))
            plan.compare(in_item_order(reading.reader))
        except IndexFailure:
            # A rebuild is the way out of a damaged index. Nothing more can be said of it than that it is there.
            reading.require_items()
            run.run(reading.items())
            return
        if as_before:
            plan.require_little_loss(guard, keeps=False)
        elif not plan.seen and len(old):
            guard.refuse_none_seen(len(old))
        run.run(reading.items())
        if as_before and run.broken:
            lost = sum(old.locate(work.item.id, work.item.subset) is not None for work in run.broken)
            guard.refuse_if_large(plan.loss(lost))


def _is_read_as_before(source: Source, folder: Path) -> bool:
    """Tell whether an index is of a source, in the same format with the same options; False where it cannot be read."""
    try:
        manifest = read_manifest(folder)
    except IndexFailure:
        return False
    recorded = Path(manifest.root or source.location)
    if is_there(recorded) and os.path.realpath(recorded) != os.path.realpath(source.location):
        return False
    return (source.format, dict(source.options)) == (manifest.source_format, dict(manifest.source_options))


def _source_to_read(source: Source, folder: Path, *, rebuild: bool) -> Source:
    """Return the source with the format and options of its index; an index that is replaced need not be readable."""
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


def _model_for(base: Snapshot | None, settings: BuildSettings, root: Path) -> tuple[Model, str]:
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


def _precision_for(base: Snapshot | None, settings: BuildSettings, root: Path) -> str:
    if base is None:
        return settings.precision
    stamp = base.manifest.model
    if settings.precision not in (AUTO, stamp.precision):
        raise ModelMismatch(
            f"the index of {root} was hashed in {stamp.precision}, and not in {settings.precision}, which gives a few "
            "other bits: leave out --precision, or add --rebuild to hash everything again."
        )
    return nearest_precision(stamp.precision, settings.device)
