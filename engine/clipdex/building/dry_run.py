"""What a build would do, found without writing anything, without a lock, and without loading a model.

Files are listed, and not read. Only where so much is gone that a build would ask first, new files are read that have
the size of one that is gone: they may have been moved, and the build looks for that, too.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
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
from clipdex.building.events import BuildEvents, BuildProgress, Progress
from clipdex.building.losses import Guard
from clipdex.building.planning import Counts, Plan, Work
from clipdex.building.settings import BuildKeywords, BuildSettings, with_keywords
from clipdex.building.taking_over import OtherIndexes
from clipdex.building.unchanged import known_items
from clipdex.datasets.above import has_index
from clipdex.datasets.dataset import require_same_root
from clipdex.datasets.failures import Failure, Listed, needing_extra, of_annotations
from clipdex.encoder import AUTO, Encoder, Model
from clipdex.encoder.devices import EXACT
from clipdex.errors import DatasetEmpty, DatasetShrunk
from clipdex.media.kinds import READ_BY_EXTRA, suffix_of
from clipdex.media.mending import has_decoder
from clipdex.readers.base import DAMAGED, NEEDS_EXTRA, Reader, ReadItem, UnreadableItem
from clipdex.readers.ordering import in_item_order
from clipdex.readers.sources import Target, index_folder, locate, open_fitting, open_reader, refuse_empty
from clipdex_indexes import ModelStamp, Snapshot
from clipdex_indexes.writer import require_index_folder

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAMED = 5


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What a build would do. Files that turn out to be broken or damaged are not known before they are read.

    Attributes
    ----------
    root, index
        The dataset, and its index folder.
    model, model_choice
        Name of the model, and who chose it, as the end of a sentence.
    added, changed, touched, renamed, unchanged, removed, kept
        Numbers of items, as in ``BuildReport``, as far as they are known without reading files: an item among those
        that are added and changed may turn out to be touched or renamed. Where the index is rebuilt, how the dataset
        differs from the index that is replaced.
    retried
        Number of items that failed in the last build and are as they were. A build tries them again.
    taken_over
        Number of images whose hash keys would be taken over from other indexes.
    to_hash
        Number of images to hash, at most.
    to_compare
        Number of those that a build reads, and does not hash where the index has their content: of the same size as
        before, or as an image that is gone, or with another index that may have their key.
    failed
        Files that are not read, and folders that could not be listed, with the reason.
    passed_over, annotations, annotation_problems, remarks
        As in ``BuildReport``.
    items
        Number of items that the index would have, if every image that is to be hashed can be read.
    refusal
        Why the build would be refused, and what to do, in the words of the build; empty where it would run.
    named
        Ids of the first items of each kind, in item order: of ``added``, ``changed``, ``touched``, ``renamed`` and
        ``removed``.
    """

    root: Path
    index: Path
    model: str
    model_choice: str
    added: int
    changed: int
    touched: int
    renamed: int
    unchanged: int
    removed: int
    kept: int
    retried: int
    taken_over: int
    to_hash: int
    to_compare: int
    failed: tuple[Failure, ...]
    passed_over: Mapping[str, int]
    annotations: tuple[Failure, ...]
    annotation_problems: int
    remarks: tuple[str, ...]
    items: int
    refusal: str = ""
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def plan_build(
    target: Target,
    settings: BuildSettings | None = None,
    events: BuildEvents | None = None,
    *,
    limit: int = NAMED,
    **keywords: Unpack[BuildKeywords],
) -> BuildPlan:
    """Find out what ``build`` would do, and do nothing of it.

    Nothing is written, no lock is taken, and no model is loaded. It works where the dataset cannot be written to, and
    while another process builds.

    Parameters
    ----------
    target, settings, events, **keywords
        As ``build`` takes them. It never waits, and the only phase of the progress is ``scan``.
    limit
        Number of items of each kind that are named.

    Raises
    ------
    SettingsError, DatasetNotFound, DatasetError, ModelError, IndexFailure
        As from ``build``.
    DatasetEmpty
        When the dataset has no index and no image. Where it has an index, the plan says why the build is refused.
    """
    settings, events = with_keywords(settings or BuildSettings(), events or BuildEvents(), keywords, "plan_build")
    source = locate(target, settings.format, settings.options)
    root = source.location
    folder = index_folder(source, settings.index)
    to_read = source_to_read(source, folder, rebuild=settings.rebuild)
    reading = None if has_index(folder) else open_fitting(to_read, Reading.begun)
    reader = reading.reader if reading is not None else open_reader(to_read)
    require_index_folder(folder)
    replaces = settings.rebuild and has_index(folder)
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(Snapshot(folder)) if has_index(folder) and not replaces else None
        if base is not None:
            require_same_root(base, root)
        model, choice = model_for(base, settings, root)
        wanted = precision_for(base, settings, root)
        Encoder(model, many=True, device=settings.device, precision=wanted).require_here()
        if events.notice is not None:
            for sentence in (*reader.notices, *_notices(folder, base)):
                events.notice(sentence)
        others = None if settings.rebuild else _others(reader, folder, model, wanted)
        begun = reading.items() if reading is not None else None
        plan = _compared(stack, reader, begun, folder, base, others, replaces=replaces, progress=events.progress)
        as_before = not replaces or is_read_as_before(to_read, folder)
        # Also where the user agrees to the loss: what was moved is told apart from what is gone.
        refusal = _refusal(plan, Guard(root, settings), replaces=replaces, as_before=as_before)
        outcomes = _Outcomes(limit)
        if as_before:
            outcomes.look_at(plan, listed_before(folder))
        else:
            outcomes.counts = Counts(added=plan.seen)
        if replaces:
            outcomes.hash_everything(plan.seen)
    return BuildPlan(
        root=root,
        index=folder,
        model=model.name,
        model_choice=choice,
        **asdict(outcomes.counts),
        retried=outcomes.retried,
        taken_over=outcomes.taken_over,
        to_hash=outcomes.to_hash,
        to_compare=outcomes.to_compare,
        failed=tuple(plan.failed),
        passed_over=reader.passed_over + outcomes.passed_over,
        annotations=tuple(of_annotations(reader.annotation_problems)),
        annotation_problems=reader.annotation_problems.count,
        remarks=tuple(reader.remarks),
        items=outcomes.items,
        refusal="" if settings.prune else refusal,
        named={kind: tuple(ids) for kind, ids in outcomes.named.items()},
    )


def _notices(folder: Path, base: Snapshot | None) -> Iterator[str]:
    if base is not None and not base.manifest.complete:
        yield f"the index in {folder} is of a build that was stopped, or is still running."
    there = next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
    if not os.access(there, os.W_OK):
        yield f"{folder} cannot be written to from here, so a build would fail: name another folder with --index."


def _others(reader: Reader, folder: Path, model: Model, precision: str) -> OtherIndexes | None:
    """Return the indexes whose keys a build would take over; None where only a tower tells the precision."""
    if precision == AUTO and model.precision == AUTO:
        return None
    known = precision if precision != AUTO else EXACT
    return OtherIndexes(reader, folder, ModelStamp(model.name, model.digest, model.embedding_size, known))


def _compared(
    stack: contextlib.ExitStack,
    reader: Reader,
    begun: Iterator[ReadItem | UnreadableItem] | None,
    folder: Path,
    base: Snapshot | None,
    others: OtherIndexes | None,
    *,
    replaces: bool,
    progress: Progress | None,
) -> Plan:
    """Compare the dataset with its index, or with the one that is replaced if that can be read.

    ``begun`` are its items in item order, where reading has begun already.
    """

    def scanned(number: int) -> None:
        if progress is not None:
            progress(BuildProgress("scan", number, None, 0))

    plan = plan_of_rebuild(stack, reader, folder, scanned) if replaces else None
    if plan is None:
        plan = stack.enter_context(Plan(reader, base, others=others))
        known = known_items(base, reader, ())
        if begun is None:
            begun = in_item_order(reader)
        with others if others is not None else contextlib.nullcontext():
            plan.compare(begun if known is None else reader.read_unlike(known), scanned, known)
        if base is None and not plan.seen and not plan.failed:
            refuse_empty(reader)
    return plan


def _refusal(plan: Plan, guard: Guard, *, replaces: bool, as_before: bool) -> str:
    """Return why a build is refused; empty where it is not."""
    try:
        if replaces:
            plan.require_replaceable(guard, as_before=as_before)
            if not plan.seen:
                guard.refuse_none_hashed()
        else:
            plan.require_little_loss(guard)
    except (DatasetEmpty, DatasetShrunk) as error:
        plan.moved.put_back()
        return error.message
    return ""


class _Outcomes:
    """What becomes of each item, as far as that is known without reading it.

    Parameters
    ----------
    limit
        Number of items of each kind that are named.

    Attributes
    ----------
    counts
        Numbers of items of each kind.
    named
        Ids of the first of them.
    retried, taken_over, to_hash, to_compare
        As in ``BuildPlan``.
    passed_over
        Items that need an extra which is not installed, by extension.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.counts = Counts()
        self.named: dict[str, list[str]] = {}
        self.retried = self.taken_over = self.to_hash = self.to_compare = 0
        self.passed_over: Counter[str] = Counter()

    @property
    def items(self) -> int:
        """Number of items that the index would have."""
        return self.counts.written + self.counts.unchanged + self.counts.kept

    def look_at(self, plan: Plan, before: Listed) -> None:
        """Look at all items of a plan.

        Parameters
        ----------
        plan
            A plan that was compared.
        before
            What the last build listed.
        """
        kinds = {(one.id, one.size, one.mtime_ns): one.kind for one in before.failures if one.kind != DAMAGED}
        self.counts = replace(plan.counts)
        sizes = plan.moved.sizes()
        for work in plan.works():
            kind = kinds.get((work.item.id, work.item.size, work.item.mtime_ns), "")
            if _needs_extra(work, kind):
                self._leave_out(work)
            elif kind and work.old is None:
                self.retried += 1
            else:
                self._note(work, plan, sizes)
        self.counts.removed -= plan.moved.taken
        first = heapq.nsmallest(self._limit, plan.rows_gone(), key=lambda row: row.order)
        self.named["removed"] = [row.id for row in first]

    def hash_everything(self, seen: int) -> None:
        """Let an index be replaced: every image is hashed, and what could not be looked at is dropped."""
        self.counts.removed += self.counts.kept
        self.counts.kept = 0
        self.to_hash, self.to_compare = seen - self.retried - self.passed_over.total(), 0

    def _leave_out(self, work: Work) -> None:
        if work.old is not None:
            self.counts.kept += 1
        else:
            self.passed_over += needing_extra([Failure(work.item.id, "", kind=NEEDS_EXTRA)])

    def _note(self, work: Work, plan: Plan, sizes: Collection[int]) -> None:
        item, new = work.item, work.old is None
        kind = "added" if new else "changed"
        offer = work.offer
        known = item.content != 0 and plan.moved.find(item.size, item.content) is not None
        if work.as_is or (item.content != 0 and work.content == item.content):
            kind = "touched"
        elif known and (not new or plan.moved.take(item.size, item.content) is not None):
            kind = "renamed"
        elif not known and offer is not None and offer.same:
            self.taken_over += 1
        elif not known:
            self.to_hash += 1
            known_size = work.content != 0 or item.size in sizes or offer is not None
            self.to_compare += item.content == 0 and known_size
        setattr(self.counts, kind, getattr(self.counts, kind) + 1)
        named = self.named.setdefault(kind, [])
        if len(named) < self._limit:
            named.append(item.id)


def _needs_extra(work: Work, kind: str) -> bool:
    """Tell whether an item is passed over for want of an extra; ``kind`` is that of what the last build listed."""
    suffix = suffix_of(work.item.id)
    if work.as_is or not (suffix in READ_BY_EXTRA or kind == NEEDS_EXTRA):
        return False
    return not has_decoder(suffix if suffix in READ_BY_EXTRA else ".heic")
