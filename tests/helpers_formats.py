"""One set of pictures in every format, and what its items are."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from helpers_engine import PHOTOS

# Photographs that the bundled model tells apart, and where a dataset has them.
PICTURES = {
    "train/cat/chelsea.jpg": PHOTOS / "animals" / "chelsea-the-cat.jpg",
    "train/dog/shepherd.jpg": PHOTOS / "animals" / "german-shepherd.jpg",
    "val/dog/window.jpg": PHOTOS / "animals" / "dogs-at-the-window.jpg",
    "val/flower/dahlia.jpg": PHOTOS / "plants" / "dahlia.jpg",
}
EXPECTED = {
    "train/cat/chelsea.jpg": ("train", ("cat",)),
    "train/dog/shepherd.jpg": ("train", ("dog",)),
    "val/dog/window.jpg": ("val", ("dog",)),
    "val/flower/dahlia.jpg": ("val", ("flower",)),
}


def content(name: str) -> bytes:
    return PICTURES[name].read_bytes()


def picture_folder(root: Path) -> Path:
    for name in PICTURES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content(name))
    return root


def write_zip(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)), data, method)
    return path


def write_tar(path: Path, members: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1_700_000_000
            archive.addfile(entry, io.BytesIO(data))
    return path


def write_parquet(path: Path, names: list[str], classes: list[str] | None = None, **options: Any) -> Path:
    """Photographs as Hugging Face lays them out, with their labels as numbers of classes or as texts."""
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": content(name), "path": name.rpartition("/")[2]} for name in names]
    labels = [EXPECTED[name][1][0] for name in names]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    values = pa.array(labels) if classes is None else pa.array([classes.index(label) for label in labels])
    table = pa.table({"image": pa.array(images, kind), "label": values})
    if classes is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": classes, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, **options)
    return path


def make(kind: str, root: Path) -> Path:
    """The pictures in a format; return where the dataset is."""
    root.mkdir(parents=True, exist_ok=True)
    members = {name: content(name) for name in PICTURES}
    if kind == "folder":
        return picture_folder(root / "folder")
    if kind == "zip":
        return write_zip(root / "photos.zip", members)
    if kind.startswith("tar"):
        compression = kind.partition(".")[2]
        return write_tar(root / f"photos.{kind}", members, f"w:{compression}")
    picture_folder(root)
    if kind == "glob":
        return root / "*" / "**" / "*.jpg"
    if kind == "list":
        (root / "photos.txt").write_text("# photographs\n\n" + "".join(f"./{name}\n" for name in PICTURES))
        return root / "photos.txt"
    rows = [(name, *EXPECTED[name]) for name in PICTURES]
    if kind == "csv":
        lines = [
            "\ufeffPath,Subset,Labels,note",
            *(f'{name},{subset},{labels[0]},"a, b"' for name, subset, labels in rows),
        ]
        (root / "photos.csv").write_text("\n".join(lines), encoding="utf-8")
        return root / "photos.csv"
    objects = [{"file_name": name, "split": subset, "labels": list(labels)} for name, subset, labels in rows]
    (root / "photos.jsonl").write_text("\n".join(map(json.dumps, objects)) + "\n", encoding="utf-8")
    return root / "photos.jsonl"


KINDS = ("folder", "glob", "list", "csv", "jsonl", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz")
