"""Hash keys in files: exported from an index, and imported into a new one.

The JSON is that of Datumaro up to 1.11 (``hash_key_meta/hash_keys.json``): an object ``{"hashkey": {"SUBSET/ID":
[BYTES]}}``. An export adds the key ``clipdex``, which names the model. Keys of a file without it, or of a model that is
not installed, are marked as coming from elsewhere: they are compared with each other only.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipdex.datasets.above import has_index
from clipdex.datasets.dataset import Dataset, recordable, require_same_model
from clipdex.datasets.failures import Failure, Listed, of_item, write_listed
from clipdex.datasets.opening import open_datasets
from clipdex.datasets.provenance import ELSEWHERE
from clipdex.datasets.record import DatasetRecord
from clipdex.encoder import find_model
from clipdex.errors import DatasetEmpty, DatasetError, ModelError, OutputError
from clipdex.extras import optional
from clipdex.paths import expanded
from clipdex.readers import UnreadableItem
from clipdex.readers.base import MISSING
from clipdex.readers.ordering import in_item_order
from clipdex.readers.sources import AUTO, Source, Target, index_folder, locate, open_reader
from clipdex.version import WRITER
from clipdex_indexes import IndexWriter, ItemRow, ModelStamp
from clipdex_indexes.errors import IndexCorrupt, IndexWriteFailed
from clipdex_indexes.storage.files import atomic_path, read_text
from clipdex_indexes.storage.manifest import MAX_BITS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SUFFIXES = (".json", ".npy", ".npz", ".parquet")
_MAX_BYTES = 2 << 30
_BATCH = 10_000
_PRECISIONS = ("f32", "f16", "bf16")
_NO_PRECISION = "unknown"

_Row = tuple[str, ItemRow, bytes]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported: the file, the number of keys, the name and digest of their model, and of which datasets."""

    path: Path
    keys: int
    model: str
    digest: str
    datasets: tuple[DatasetRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was imported.

    Attributes
    ----------
    root, index
        The dataset, and its index folder.
    items
        Number of items that have a hash key now.
    without_key
        Number of items for which the file has no hash key. They are not in the index.
    unused
        Number of hash keys of items that the dataset does not have.
    model, digest
        Model that the index names.
    ours
        Whether that model is installed here, so that texts and images can be searched for.
    """

    root: Path
    index: Path
    items: int
    without_key: int
    unused: int
    model: str
    digest: str
    ours: bool


def export_hash_keys(
    file: str | os.PathLike[str], *targets: Target, index: str | os.PathLike[str] | None = None
) -> ExportReport:
    """Write the hash keys of all items of datasets that have an index, in item order, to one file.

    Parameters
    ----------
    file
        The file to write, or to replace. Its suffix chooses the format: ``.json`` (as Datumaro had it, and the model),
        ``.parquet`` (columns dataset, id, subset, labels, hash_key; the model in the metadata), ``.npz`` (arrays keys,
        ids, subsets, datasets and model), ``.npy`` (uint8 ``[items, bits / 8]``; ``<name>.items.json`` beside it lists
        the items).
    *targets
        The datasets.
    index
        Index folder, where it is not ``.clipdex`` in the one target.

    Raises
    ------
    DatasetError, IndexFailure
        When a dataset has no index, or an index cannot be read.
    ModelMismatch
        When the datasets were hashed by different models.
    OutputError
        When the suffix is none of these, two items have the same subset and id, or the file cannot be written.
    """
    path = expanded(file)
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise OutputError(f"{path} ends in none of {', '.join(SUFFIXES)}: the suffix says how hash keys are written.")
    if not targets:
        raise DatasetError("there is no dataset to export hash keys of: name at least one.")
    datasets = open_datasets([locate(target) for target in targets], index)
    try:
        require_same_model(datasets)
        stamp = datasets[0].index.manifest.model
        records = tuple(dataset.record for dataset in datasets)
        count = sum(record.items for record in records)
        try:
            writer(path, datasets, stamp, count)
        except IndexWriteFailed as error:  # which names the file
            raise OutputError(error.message) from error
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}.") from error
    finally:
        for dataset in datasets:
            dataset.index.close()
    return ExportReport(path, count, stamp.name, stamp.digest, records)


def _rows(datasets: list[Dataset]) -> Iterator[_Row]:
    for dataset in datasets:
        for location, row in dataset.items():
            yield dataset.name, row, dataset.index.key(location).tobytes()


def _about(stamp: ModelStamp) -> dict[str, Any]:
    return {"model": stamp.name, "digest": stamp.digest, "bits": stamp.bits, "precision": stamp.precision}


def _write_json(path: Path, datasets: list[Dataset], stamp: ModelStamp, count: int) -> None:
    several = len(datasets) > 1
    seen: set[str] = set()
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        handle.write(f'{{"clipdex": {json.dumps(_about(stamp))},\n"hashkey": {{')
        for number, (_, row, key) in enumerate(_rows(datasets)):
            name = f"{row.subset}/{row.id}"
            if several and name in seen:
                raise OutputError(
                    f"two of the datasets have an item {row.id!r} in subset {row.subset!r}, and this JSON has no place "
                    "for names of datasets: export them one by one, or to .parquet or .npz."
                )
            if several:
                seen.add(name)
            handle.write(f"{',' if number else ''}\n{json.dumps(name)}: {json.dumps(list(key))}")
        handle.write("\n}}\n")


def _write_npy(path: Path, datasets: list[Dataset], stamp: ModelStamp, count: int) -> None:
    import numpy as np

    beside = path.with_suffix(".items.json")
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, stamp.bits // 8)}
    with (
        atomic_path(path) as temporary,
        atomic_path(beside) as items,
        temporary.open("wb") as keys,
        items.open("w", encoding="utf-8") as names,
    ):
        np.lib.format.write_array_header_1_0(keys, header)
        names.write(f'{{"clipdex": {json.dumps(_about(stamp))},\n"items": [')
        for number, (dataset, row, key) in enumerate(_rows(datasets)):
            keys.write(key)
            names.write(f"{',' if number else ''}\n{json.dumps([dataset, row.subset, row.id])}")
        names.write("\n]}\n")


def _write_npz(path: Path, datasets: list[Dataset], stamp: ModelStamp, count: int) -> None:
    import numpy as np

    keys: npt.NDArray[np.uint8] = np.empty((count, stamp.bits // 8), np.uint8)
    names: list[tuple[str, str, str]] = []
    for number, (dataset, row, key) in enumerate(_rows(datasets)):
        keys[number] = np.frombuffer(key, np.uint8)
        names.append((dataset, row.subset, row.id))
    columns = list(zip(*names, strict=True)) or [(), (), ()]
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(
            handle,
            keys=keys,
            ids=np.array(columns[2], np.str_),
            subsets=np.array(columns[1], np.str_),
            datasets=np.array(columns[0], np.str_),
            model=np.array(json.dumps(_about(stamp))),
        )


def _write_parquet(path: Path, datasets: list[Dataset], stamp: ModelStamp, count: int) -> None:
    arrow = optional("pyarrow", "parquet", "Writing Parquet")
    parquet = optional("pyarrow.parquet", "parquet", "Writing Parquet")
    text = arrow.string()
    schema = arrow.schema(
        [
            ("dataset", text),
            ("id", text),
            ("subset", text),
            ("labels", arrow.list_(text)),
            ("hash_key", arrow.binary(stamp.bits // 8)),
        ],
        {"clipdex": json.dumps(_about(stamp))},
    )
    rows = _rows(datasets)
    with atomic_path(path) as temporary, parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(rows, _BATCH)):
            columns = [
                [dataset for dataset, _, _ in batch],
                [row.id for _, row, _ in batch],
                [row.subset for _, row, _ in batch],
                [list(row.labels) for _, row, _ in batch],
                [key for _, _, key in batch],
            ]
            writer.write_table(arrow.table(columns, schema=schema))


_WRITERS: dict[str, Callable[[Path, list[Dataset], ModelStamp, int], None]] = {
    ".json": _write_json,
    ".npy": _write_npy,
    ".npz": _write_npz,
    ".parquet": _write_parquet,
}


def import_hash_keys(
    file: str | os.PathLike[str],
    target: Target,
    *,
    model: str,
    format: str = AUTO,
    index: str | os.PathLike[str] | None = None,
    rebuild: bool = False,
) -> ImportReport:
    """Make the index of a dataset from the hash keys in a JSON file of Datumaro up to 1.11, or of an export.

    The images are not read. If the file has the digest of the model that is called ``model`` here, the index is as if
    it had been built here. Otherwise the keys are marked as coming from elsewhere: items can be searched for, texts and
    images cannot, and the index is never searched together with keys made here.

    Parameters
    ----------
    file
        The JSON file.
    target
        The dataset. Ids of the file match with or without the extension.
    model
        Model that made the keys: an installed one, or any name.
    format
        Format of the dataset.
    index
        Index folder, where it is not ``.clipdex`` in the target.
    rebuild
        Replace the index that is there.

    Raises
    ------
    DatasetNotFound, DatasetError
        When there is no such dataset, it has an index already, or the file cannot be read or is no such file.
    DatasetEmpty
        When the file has no key for any item of the dataset.
    IndexFailure
        When the index cannot be written.
    """
    if not model.strip():
        raise DatasetError("say with --model what made the hash keys: a model that is here, or any name.")
    keys, about = _read_json(expanded(file))
    source = locate(target, format)
    reader = open_reader(source)
    folder = index_folder(source, index)
    if not rebuild:
        _require_no_index(source, folder)
    bits = 8 * len(next(iter(keys.values())))
    stamp, ours = _stamp(model, bits, about)
    used: set[str] = set()
    failed: list[Failure] = []

    def rows() -> Iterator[tuple[ItemRow, bytes]]:
        for item in in_item_order(reader):
            if isinstance(item, UnreadableItem):
                failed.append(of_item(item))
                continue
            name = next((name for name in _names(item.subset, item.id) if name in keys), None)
            if name is None:
                failed.append(
                    Failure(item.id, f"{Path(file).name} has no hash key for it", item.size, item.mtime_ns, MISSING)
                )
                continue
            used.add(name)
            yield item, keys[name]

    with IndexWriter(folder, fresh=True) as writer:
        if not rebuild:  # once more, with the lock held: another process may have made one meanwhile
            _require_no_index(source, folder)
        writer.start(
            stamp,
            reader.format,
            WRITER,
            recordable(source.location) if index is not None else "",
            reader.options,
        )
        if not writer.add(rows()):
            raise DatasetEmpty(
                f"{file} has no hash key for any item of {source.location}: its first is of {next(iter(keys))!r} "
                "(subset/id). Is it the right dataset, in the right format?"
            )
        items = writer.commit().items
        write_listed(folder, Listed(failed))
    without = sum(failure.kind == MISSING and "no hash key" in failure.reason for failure in failed)
    return ImportReport(source.location, folder, items, without, len(keys) - len(used), stamp.name, stamp.digest, ours)


def _require_no_index(source: Source, folder: Path) -> None:
    if has_index(folder):
        raise DatasetError(f"{source.location} has an index already, in {folder}. Replace it with --rebuild.")


def _names(subset: str, item_id: str) -> Iterator[str]:
    yield f"{subset}/{item_id}"
    stem, dot, _ = item_id.rpartition(".")
    if dot and "/" not in item_id[len(stem) :]:
        yield f"{subset}/{stem}"


def _stamp(model: str, bits: int, about: dict[str, Any]) -> tuple[ModelStamp, bool]:
    """Return what the index says of the model, and whether that model is installed here."""
    if about:
        try:
            installed = find_model(model)
        except ModelError:
            installed = None
        if (
            installed is not None
            and (about.get("digest"), about.get("bits")) == (installed.digest, installed.embedding_size)
            and bits == installed.embedding_size
            and about.get("precision") in _PRECISIONS
        ):
            return ModelStamp(installed.name, installed.digest, bits, str(about["precision"]), installed.location), True
    said = str(about.get("digest", ""))
    marked = hashlib.sha256(f"{model}\n{said}".encode(errors="backslashreplace")).hexdigest()
    shown = model.encode(errors="backslashreplace").decode()
    return ModelStamp(shown, f"{ELSEWHERE}{marked}", bits, _NO_PRECISION), False


def _read_json(path: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Read a file of hash keys; return the keys by ``subset/id``, all of one length, and what it says of its model."""
    try:
        body = json.loads(read_text(path, _MAX_BYTES))
    except FileNotFoundError as error:
        raise DatasetError(f"there is no file {path}.") from error
    except IndexCorrupt as error:
        raise DatasetError(error.message) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read as JSON: {error}.") from error
    table = body.get("hashkey") if isinstance(body, dict) else None
    if not isinstance(table, dict):
        raise DatasetError(f'{path} is no file of hash keys: it has no object "hashkey" in it.')
    if not table:
        raise DatasetError(f"{path} has no hash keys in it.")
    keys: dict[str, bytes] = {}
    length = 0
    for name, values in table.items():
        problem = _problem(name, values, length)
        if problem:
            raise DatasetError(f"{path}: the hash key of {name!r} {problem}.")
        keys[name] = bytes(values)
        length = len(values)
    about = body.get("clipdex")
    return keys, about if isinstance(about, dict) else {}


def _problem(name: str, values: Any, length: int) -> str:  # noqa: ANN401
    if "/" not in name:
        return "is not named SUBSET/ID"
    if not isinstance(values, list) or not all(type(value) is int and 0 <= value <= 255 for value in values):
        return "is no list of numbers from 0 to 255"
    if not 0 < len(values) <= MAX_BITS // 8:
        return f"has {len(values)} bytes, and not 1 to {MAX_BITS // 8}"
    return f"has {len(values)} bytes, and those before it {length}" if length and len(values) != length else ""
