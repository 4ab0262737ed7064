"""What the path of an image says of the item: whether it is one, its subset and its label.

The rule is one for all that is laid out as folders: folders, patterns, archives, and lists that do not say otherwise.
"""

from __future__ import annotations

import os

from clipdex.readers.base import DEFAULT_SUBSET

SUBSETS = frozenset({"train", "val", "validation", "test", "training", "testing"})
# A folder with a file of this name is passed over; saved results carry it, so that they are not indexed in turn.
IGNORE_MARK = ".clipdexignore"
IMAGE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "webp", "gif", "bmp", "dib", "tif", "tiff", "tga", "pcx"),
        *("ppm", "pgm", "pbm", "pnm", "jp2", "j2k", "jpx", "avif", "avifs", "heic", "heif"),
    )
)
# What datasets hold beside images, and what a list may name by mistake.
OTHER_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("mp4", "avi", "mov", "mkv", "webm", "mpg", "mpeg", "m4v", "wmv"),
        *("pcd", "ply", "las", "laz", "obj", "stl", "bin", "npy", "npz", "wav", "mp3", "flac"),
        *("txt", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml", "pdf", "zip", "tar", "gz", "parquet"),
    )
)
# How many bytes ``looks_like_image`` wants.
START = 12
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")


def suffix_of(path: str) -> str:
    """Return the extension of a path, with its dot, in lower case; empty: it has none."""
    return os.path.splitext(path)[1].lower()  # noqa: PTH122 - millions of them: no Path object for each


def looks_like_image(start: bytes) -> bool:
    """Tell from the first ``START`` bytes of a file without extension whether it is an image."""
    return start.startswith(_SIGNATURES) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


def is_hidden(path: str) -> bool:
    """Tell whether a relative path is, or goes through, a hidden file or folder."""
    return "." in path and any(part.startswith(".") and part != ".." for part in path.split("/"))


def subset_and_labels(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the subset and the labels of the image at a relative POSIX path.

    The subset is the first folder where that is a usual name of one, otherwise ``default``. The label is the name of
    the folder that the image is in, unless that is the root or the folder of the subset.
    """
    folders = path.split("/")[:-1]
    subset = folders[0] if folders and folders[0] in SUBSETS else DEFAULT_SUBSET
    labelled = len(folders) > (subset != DEFAULT_SUBSET)
    return subset, (folders[-1],) if labelled else ()


def shown(name: str) -> str:
    """Return a name with what is not valid UTF-8 written as escapes."""
    return name.encode(errors="backslashreplace").decode()
