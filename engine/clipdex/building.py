"""Building an index: read, compare with what is there, decode, hash, write."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipdex.dataset import (
    Change,
    Failure,
    compare,
    recordable,
    remembered,
    require_same_root,
    write_failures,
)
from clipdex.defaults import MAX_PIXELS
from clipdex.encoder import (
    AUTO,
    CPU,
    Encoder,
    Model,
    find_model,
    load_image,
    nearest_precision,
    prepare,
)
from clipdex.errors import DatasetEmpty, ImageError, IndexFailure, ModelMismatch
from clipdex.provenance import model_for_new_index, model_of
from clipdex.readers import Reader, ReadItem, UnreadableItem
from clipdex.readers.base import NO_OPTIONS
from clipdex.sources import AUTO as AUTO_FORMAT
from clipdex.sources import Source, Target, index_folder, locate, open_reader, tried_in_vain
from clipdex.version import WRITER
from clipdex_indexes import Index, IndexWriter, ItemRow, read_manifest
from clipdex_indexes.hamming import available_threads
from clipdex_indexes.manifest import FILE_NAME

# Images decoded, or being decoded, ahead of the encoder: enough to smooth out a few large ones.
_LOOK_AHEAD = 32

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far a build is: files looked at or hashed, of how many (None while that is not known), and failures."""

    phase: str
    done: int
    total: int | None
    failed: int


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did: one outcome for each file.

    Attributes
    ----------
    root, index
        The dataset, and its index folder.
    model, model_choice
        Name of the model, and who chose it, as the end of a sentence.
    device, precision
        What hashed the images, and in which precision.
    index_precision
        Precision in which the index says that its items were hashed: another one where this device does not have it.
    added, changed, unchanged, removed
        Numbers of items. Added and changed ones were hashed; removed ones are in the dataset no more.
    failed
        The files that are not in the index, with the reason.
    items
        Number of items in the index now.
    seconds
        Wall-clock time.
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
    unchanged: int
    removed: int
    failed: tuple[Failure, ...]
    items: int
    seconds: float


def build(
    target: Target,
    *,
    format: str = AUTO_FORMAT,
    options: Mapping[str, str] = NO_OPTIONS,
    index: str | os.PathLike[str] | None = None,
    model: str | None = None,
    device: str = CPU,
    precision: str = AUTO,
    rebuild: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[BuildProgress], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> BuildReport:
    """Make the index of a dataset, or bring it up to date.

    Only new and changed images are hashed; what is gone is dropped. Nothing is visible before the end: a build that is
    interrupted leaves the index as it was.

    Parameters
    ----------
    target
        A folder of images, another dataset, ``path:format``, or a pattern.
    format
        Format of the dataset; ``auto`` takes that of the index, and for a new one what fits.
    options
        Options of the format, texts by name; the index remembers them.
    index
        Index folder, where it is not ``.clipdex`` in the target.
    model
        Name or folder of the model; None takes the one of the index, and for a new index the one that the variable
        ``CLIPDEX_MODEL`` names, or the bundled one.
    device
        What computes, as OpenVINO names it: ``CPU``, ``GPU``, ``NPU``, ``AUTO``.
    precision
        ``f32``, ``bf16`` or ``f16``; ``auto`` takes that of the index, and for a new index what the model prefers: the
        fastest of the device, or ``f32``.
    rebuild
        Hash everything again, replacing the index that is there.
    max_pixels
        Images of more pixels are failed, not decoded.
    progress
        Called now and then, from this thread.
    notice
        Called before anything is hashed, with what the user should know of how the dataset is read, as sentences.

    Raises
    ------
    DatasetNotFound, DatasetEmpty
        When there is no such dataset; when it holds no image at all and there is no index either.
    DatasetError
        When its format is not known, or format or options are not those of the index.
    ModelError
        When the model cannot be used, or is not the one of the index, or was not run in that precision for it; when
        there is no such device.
    IndexFailure
        When the index is damaged, locked by another process, or cannot be written.
    """
    begin = time.perf_counter()
    source = locate(target, format, options)
    root = source.location
    folder = index_folder(source, index)
    replaces = (folder / FILE_NAME).exists()
    reader = open_reader(_as_before(source, folder, rebuild=rebuild) if replaces else source)
    if not replaces and next(reader.read(), None) is None:
        raise DatasetEmpty(f"there are no images in {root}: nothing was indexed.{tried_in_vain(reader)}")
    if notice is not None:
        for sentence in reader.notices:
            notice(sentence)
    with IndexWriter(folder, fresh=rebuild) as writer:
        if writer.base is not None:
            require_same_root(writer.base, root)
        chosen, why = _model_for(writer.base, model, root)
        wanted = _precision_for(writer.base, precision, device, root)
        encoder = Encoder(chosen, many=True, device=device, precision=wanted)
        if writer.base is None:
            recorded = recordable(root) if index is not None else ""
            writer.start(encoder.stamp, reader.format, WRITER, recorded, reader.options)
        index_precision = writer.base.manifest.model.precision if writer.base is not None else encoder.precision
        run = _Run(reader, encoder, max_pixels, progress)
        run.plan(writer)
        if run.to_hash:
            writer.add(run.rows())
        items = writer.commit().items if replaces or run.added else 0
        write_failures(folder, sorted(run.failed, key=lambda failure: failure.id))
    return BuildReport(
        root=root,
        index=folder,
        model=encoder.model.name,
        model_choice=why,
        device=device,
        precision=encoder.precision,
        index_precision=index_precision,
        added=run.added,
        changed=run.changed,
        unchanged=run.unchanged,
        removed=run.removed,
        failed=tuple(run.failed),
        items=items,
        seconds=time.perf_counter() - begin,
    )


def _as_before(source: Source, folder: Path, *, rebuild: bool) -> Source:
    """Return the source in the format of the index that is there; one that is replaced need not be readable."""
    try:
        manifest = read_manifest(folder)
        anew = rebuild and (source.format != AUTO_FORMAT or source.options)
        return source if anew else remembered(source, manifest)
    except IndexFailure:
        if not rebuild:
            raise
        return source


def _model_for(base: Index | None, name: str | None, root: Path) -> tuple[Model, str]:
    if base is None:
        return model_for_new_index(name)
    stamp = base.manifest.model
    model = find_model(name) if name is not None else model_of(base, root)
    if model.digest != stamp.digest:
        other = f"model {model.name!r}" if model.name != stamp.name else f"another version of model {model.name!r}"
        raise ModelMismatch(
            f"the index of {root} was hashed by model {stamp.name!r} ({stamp.digest[:12]}), and not by {other} "
            f"({model.digest[:12]}). Their hash keys cannot be mixed: add --rebuild to hash everything again."
        )
    return model, "that of the index"


def _precision_for(base: Index | None, wanted: str, device: str, root: Path) -> str:
    if base is None:
        return wanted
    stamp = base.manifest.model
    if wanted not in (AUTO, stamp.precision):
        raise ModelMismatch(
            f"the index of {root} was hashed in {stamp.precision}, and not in {wanted}, which gives a few other bits: "
            "leave out --precision, or add --rebuild to hash everything again."
        )
    return nearest_precision(stamp.precision, device)


class _Run:
    """One build in progress: the counts, and the pipeline from files to rows."""

    def __init__(
        self,
        reader: Reader,
        encoder: Encoder,
        max_pixels: int,
        progress: Callable[[BuildProgress], None] | None,
    ) -> None:
        self._reader = reader
        self._encoder = encoder
        self._max_pixels = max_pixels
        self._progress = progress
        self.to_hash: list[tuple[ReadItem, Change]] = []
        self.failed: list[Failure] = []
        self.added = self.changed = self.unchanged = self.removed = 0
        self._unreadable = 0

    def plan(self, writer: IndexWriter) -> None:
        """Compare the dataset with the index: collect what is to be hashed, remove what is gone or changed."""
        for number, found in enumerate(compare(self._reader, writer.base)):
            if isinstance(found.item, UnreadableItem):
                self.failed.append(Failure(found.item.id, found.item.reason, kind=found.item.kind))
                self._unreadable += 1
            elif found.change is Change.UNCHANGED:
                self.unchanged += 1
            elif found.item is not None:
                self.to_hash.append((found.item, found.change))
            else:
                self.removed += 1
            if found.location is not None and found.change is not Change.UNCHANGED:
                writer.remove(found.location)
            if number % 1000 == 0:
                self._report("scan", number, None)

    def rows(self) -> Iterator[tuple[ItemRow, bytes]]:
        """Decode and hash what is to be hashed, in item order; failures are collected and left out."""
        pixels = self._decoded()
        first = next(pixels, None)
        if first is None:
            return
        for (item, change), key in self._encoder.image_keys(itertools.chain([first], pixels)):
            if change is Change.NEW:
                self.added += 1
            else:
                self.changed += 1
            done = self.added + self.changed + len(self.failed) - self._unreadable
            self._report("hash", done, len(self.to_hash))
            yield ItemRow(*item), key.tobytes()

    def _decoded(self) -> Iterator[tuple[tuple[ReadItem, Change], Pixels]]:
        settings = self._encoder.model.image

        def decode(item: ReadItem) -> Pixels:
            image = load_image(self._reader.open(item), settings.background, max_pixels=self._max_pixels)
            return prepare(image, settings)

        todo = iter(self.to_hash)
        pool = ThreadPoolExecutor(available_threads(), thread_name_prefix="clipdex-decode")
        try:
            ahead: deque[tuple[tuple[ReadItem, Change], Future[Pixels]]] = deque(
                (one, pool.submit(decode, one[0])) for one in itertools.islice(todo, _LOOK_AHEAD)
            )
            while ahead:
                one, future = ahead.popleft()
                try:
                    pixels = future.result()
                except ImageError as error:
                    self.failed.append(Failure(one[0].id, error.message, one[0].size, one[0].mtime_ns))
                else:
                    yield one, pixels
                following = next(todo, None)
                if following is not None:
                    ahead.append((following, pool.submit(decode, following[0])))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _report(self, phase: str, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(BuildProgress(phase, done, total, len(self.failed)))
