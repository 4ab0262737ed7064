"""Building an index: read, compare with what is there, decode, hash, write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clipdex.building.pipeline import BuildProgress, Run
from clipdex.building.unchanged import is_unchanged, remember
from clipdex.datasets.dataset import recordable, remembered, require_same_root
from clipdex.datasets.failures import Failure, write_failures
from clipdex.datasets.provenance import model_for_new_index, model_of
from clipdex.defaults import CHECKPOINT_SECONDS, MAX_PIXELS
from clipdex.encoder import (
    AUTO,
    CPU,
    Encoder,
    Model,
    find_model,
    nearest_precision,
)
from clipdex.errors import DatasetEmpty, IndexFailure, ModelMismatch
from clipdex.readers.base import NO_OPTIONS
from clipdex.readers.sources import AUTO as AUTO_FORMAT
from clipdex.readers.sources import Source, Target, index_folder, locate, open_reader, tried_in_vain
from clipdex.version import WRITER
from clipdex_indexes import Index, IndexWriter, read_manifest
from clipdex_indexes.storage.manifest import FILE_NAME


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
    added, changed
        Numbers of items that are new, and whose content is another one. These are hashed, but for second copies of what
        the index has from a file that is gone or another one now.
    touched, renamed
        Numbers of items that did not have to be hashed: only the time, the labels or the place of their media changed;
        or the index has the same content under another name, from a file that is gone or another one now.
    unchanged, removed
        Numbers of items that are as they were, and that are in the dataset no more.
    kept
        Number of items that stay in the index because what is there now cannot be looked at, such as those below a
        folder without permission.
    failed
        The files that are not in the index, and what could not be looked at, with the reason.
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
    touched: int
    renamed: int
    unchanged: int
    removed: int
    kept: int
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
    project_model: str | None = None,
    device: str = CPU,
    precision: str = AUTO,
    rebuild: bool = False,
    wait: bool = False,
    waiting: Callable[[str], None] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[BuildProgress], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> BuildReport:
    """Make the index of a dataset, or bring it up to date.

    Only images with new content are hashed; what is gone is dropped. What was hashed is committed now and then, and on
    ``KeyboardInterrupt``: another build goes on from there.

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
        ``CLIPDEX_MODEL`` names, ``project_model``, or the bundled one.
    project_model
        Name or folder of the model that the project of the dataset has for new indexes.
    device
        What computes, as OpenVINO names it: ``CPU``, ``GPU``, ``NPU``, ``AUTO``.
    precision
        ``f32``, ``bf16`` or ``f16``; ``auto`` takes that of the index, and for a new index what the model prefers: the
        fastest of the device, or ``f32``.
    rebuild
        Hash everything again. An index that is there is replaced at the end, whole, and nothing is committed before.
    wait, waiting
        Whether to wait while another process is writing to the index, and what to call then, with its name.
    checkpoint_seconds
        How often what was hashed is committed.
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
    with IndexWriter(folder, fresh=rebuild, wait=wait, waiting=waiting) as writer:
        if writer.base is not None:
            require_same_root(writer.base, root)
        chosen, why = _model_for(writer.base, model, project_model, root)
        wanted = _precision_for(writer.base, precision, device, root)
        encoder = Encoder(chosen, many=True, device=device, precision=wanted)
        if writer.base is None:
            recorded = recordable(root) if index is not None else ""
            writer.start(encoder.stamp, reader.format, WRITER, recorded, reader.options)
        index_precision = writer.base.manifest.model.precision if writer.base is not None else encoder.precision
        steps = None if rebuild and replaces else checkpoint_seconds
        run = Run(reader, encoder, writer, max_pixels, steps, progress)
        # Before anything is read: what changes later is another fingerprint.
        fingerprint = reader.fingerprint() or ""
        base = writer.base
        if base is not None and base.manifest.complete and fingerprint and is_unchanged(folder, fingerprint):
            run.counts.unchanged = len(base)
        else:
            run.run()
        items = writer.commit().items if writer.base is not None or replaces or run.counts.written else 0
        if fingerprint and items and not run.failed:
            remember(folder, fingerprint)
        write_failures(folder, sorted(run.failed, key=lambda failure: failure.id))
    return BuildReport(
        root=root,
        index=folder,
        model=encoder.model.name,
        model_choice=why,
        device=device,
        precision=encoder.precision,
        index_precision=index_precision,
        added=run.counts.added,
        changed=run.counts.changed,
        touched=run.counts.touched,
        renamed=run.counts.renamed,
        unchanged=run.counts.unchanged,
        removed=run.counts.removed,
        kept=run.counts.kept,
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


def _model_for(base: Index | None, name: str | None, of_project: str | None, root: Path) -> tuple[Model, str]:
    if base is None:
        return model_for_new_index(name, of_project)
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
