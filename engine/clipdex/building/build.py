"""Building an index, from the target to the report.

A build decides twice what it reads and replaces. Before it takes the lock of the writer, it refuses what cannot be
built. With the lock held it decides again: another process may have made an index while this one waited.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clipdex.building.deciding import (
    Reading,
    is_read_as_before,
    listed_before,
    model_for,
    plan_of_rebuild,
    precision_for,
    source_to_read,
)
from clipdex.building.events import BuildEvents
from clipdex.building.losses import Guard
from clipdex.building.pipeline import Run
from clipdex.building.planning import Plan
from clipdex.building.settings import BuildKeywords, BuildSettings, with_keywords
from clipdex.building.taking_over import OtherIndexes
from clipdex.building.unchanged import known_items, remember
from clipdex.datasets.above import has_index
from clipdex.datasets.dataset import recordable, require_same_root
from clipdex.datasets.failures import Failure, write_listed
from clipdex.encoder import Encoder
from clipdex.paths import quoted
from clipdex.readers.base import ANNOTATION, DAMAGED
from clipdex.readers.sources import Target, index_folder, locate, open_fitting, open_reader
from clipdex.showing import notebook_html
from clipdex.version import WRITER
from clipdex.wording import counted, printable, shortened
from clipdex_indexes import IndexWriter
from clipdex_indexes.known import KnownItems

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True, slots=True, repr=False)
class BuildReport:
    """What a build did. Each item has one outcome. A notebook shows it as a table.

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
        Number of new items. They were hashed, except further copies of content that the index had of a moved file, and
        those of ``taken_over``.
    changed
        Number of items with other content. They were hashed, except those of ``taken_over``.
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
    taken_over
        Numbers of the added and changed items whose hash keys were copied from other indexes, by the dataset of those:
        a folder in this dataset, or above it. They were not hashed.
    left_aside
        Why other indexes in or above this dataset were not used for that, by their dataset.
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
    taken_over: Mapping[str, int] = field(default_factory=dict)
    left_aside: Mapping[str, str] = field(default_factory=dict)
    annotations: tuple[Failure, ...] = ()
    annotation_problems: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def hashed(self) -> int:
        """Number of the added and changed items whose keys were not taken over."""
        return self.added + self.changed - sum(self.taken_over.values())

    def __repr__(self) -> str:
        counts = f"{self.added:,} added, {self.unchanged:,} unchanged, {len(self.failed):,} failed"
        root = shortened(printable(str(self.root)))
        return f"<BuildReport: {root}: {counts}; {counted(self.items, 'image')} in the index>"

    def _repr_html_(self) -> str:
        return notebook_html(self)


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
    settings, events = with_keywords(settings or BuildSettings(), events or BuildEvents(), keywords, "build")
    return _build(target, settings, events)


def _build(target: Target, settings: BuildSettings, events: BuildEvents) -> BuildReport:
    begin = time.perf_counter()
    source = locate(target, settings.format, settings.options)
    root = source.location
    folder = index_folder(source, settings.index)
    # Decided now, so that nobody waits in vain for what cannot be built, and once more with the lock held: another
    # process may make, replace or delete the index while this one waits.
    expected = source_to_read(source, folder, rebuild=settings.rebuild)
    reading: Reading | None = None
    if has_index(folder):
        reader = open_reader(expected)
    else:
        model_for(None, settings, root)  # a model that does not exist is said before the dataset is read
        reading = open_fitting(expected, Reading.begun)
        reader = reading.reader
    with IndexWriter(folder, fresh=settings.rebuild, wait=settings.wait, waiting=events.waiting) as writer:
        replaces = has_index(folder)
        to_read = source_to_read(source, folder, rebuild=settings.rebuild)
        if to_read != expected:
            reader, reading = open_reader(to_read), None
        if events.notice is not None:
            for sentence in reader.notices:
                events.notice(sentence)
        if writer.base is not None:
            require_same_root(writer.base, root)
        chosen, why = model_for(writer.base, settings, root)
        wanted = precision_for(writer.base, settings, root)
        encoder = Encoder(chosen, many=True, device=settings.device, precision=wanted)
        if writer.base is None:
            recorded = recordable(root) if settings.index is not None else ""
            writer.start(encoder.stamp, reader.format, WRITER, recorded, reader.options)
        index_precision = writer.base.manifest.model.precision if writer.base is not None else encoder.precision
        steps = None if settings.rebuild and replaces else settings.checkpoint_seconds
        before = listed_before(folder)
        damaged = before.of_kind(DAMAGED)
        guard = None if settings.prune else Guard(root, settings)
        # A rebuild hashes everything; that is what it is for.
        stamp = replace(encoder.stamp, precision=index_precision)
        others = None if settings.rebuild else OtherIndexes(reader, folder, stamp)
        base = writer.base
        plan = Plan(reader, base, damaged, others)
        known: KnownItems | None = None
        run = Run(reader, plan, encoder, writer, settings.max_pixels, steps, events.progress, guard)
        if reading is None or replaces:
            reading = Reading(reader)
        if settings.rebuild and replaces and guard is not None:
            _rebuild(run, reading, folder, guard, as_before=is_read_as_before(to_read, folder))
        elif others is not None:
            with others:
                if others.above is not None and not replaces and events.notice is not None:
                    events.notice(_is_in_another(root, others.above))
                known = known_items(base, reader, damaged)
                run.run(reading.items() if known is None else reader.read_unlike(known), known)
        else:
            run.run(reading.items())
        listed = run.listed
        items = writer.commit().items if writer.base is not None or replaces or run.counts.written else 0
        write_listed(folder, listed)
        if items:
            remember(folder, reader, known)  # last: it takes a while, and nothing is lost without it
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
        taken_over=dict(run.taken_over),
        left_aside=dict(others.left_aside) if others is not None else {},
    )


def _is_in_another(root: Path, above: Path) -> str:
    """Say that a dataset that gets an index is part of another one that has an index."""
    return (
        f"{root} is in the index of {above}, in which it is searched so far. It gets an index of its own now. To bring "
        f"the other one up to date instead: clipdex build {quoted(above)}"
    )


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
        plan = plan_of_rebuild(stack, reading.reader, folder)
        if plan is None:
            # Nothing more can be said of the index than that it is there.
            reading.require_items()
        else:
            plan.require_replaceable(guard, as_before=as_before)
        run.run(reading.items())
        if plan is not None and as_before and run.broken and (old := plan.base) is not None:
            lost = sum(old.locate(work.item.id, work.item.subset) is not None for work in run.broken)
            guard.refuse_if_large(plan.loss(lost), run.unread)
        if not run.counts.written:
            guard.refuse_none_hashed(run.unread)
