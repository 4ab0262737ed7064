"""What kind a file is, by its extension or its first bytes: an image, or another file that datasets hold."""

from __future__ import annotations

import os

IMAGE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "webp", "gif", "bmp", "dib", "tif", "tiff", "tga", "pcx"),
        *("ppm", "pgm", "pbm", "pnm", "jp2", "j2k", "jpx", "avif", "avifs", "heic", "heif", "hif"),
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
# Images that only an extra reads: the extra by extension.
READ_BY_EXTRA = {".heic": "heif", ".heif": "heif", ".hif": "heif"}
# Images, videos and documents that are not read. A folder may hold them beside its images, and the user be surprised.
NOT_READ = frozenset(
    f".{name}"
    for name in (
        # Raw files of cameras.
        *(
            "3fr",
            "arw",
            "cr2",
            "cr3",
            "crw",
            "dcr",
            "dng",
            "erf",
            "fff",
            "gpr",
            "iiq",
            "k25",
            "kdc",
            "mef",
            "mos",
            "mrw",
        ),
        *("nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f"),
        # Other images: drawings, layers, more bits, medicine.
        *("jxl", "jxr", "bpg", "svg", "svgz", "eps", "psd", "psb", "xcf", "exr", "hdr", "dcm", "dicom", "ico", "icns"),
        # Videos.
        *("mp4", "mov", "avi", "mkv", "webm", "m4v", "mpg", "mpeg", "wmv", "3gp", "mts", "m2ts", "flv", "ogv"),
        # Documents.
        *("pdf", "djvu"),
    )
)
_USUAL_SUFFIXES = {end: end.lower() for end in (".jpg", ".JPG", ".png", ".PNG", ".xml", ".txt")}
# The characters before the dot of a name that is no extension, and an empty text.
_NO_NAME = "/\\."
# How many bytes ``looks_like_image`` needs.
START = 12
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")


def suffix_of(path: str) -> str:
    """Return the extension of a path, with its dot, in lower case; empty where it has none."""
    # Nearly all paths end in one of a few. What is before the dot tells whether it begins an extension.
    usual = _USUAL_SUFFIXES.get(path[-4:])
    if usual and path[-5:-4] not in _NO_NAME:
        return usual
    return os.path.splitext(path)[1].lower()  # noqa: PTH122 - millions of them: no Path object for each


def looks_like_image(start: bytes) -> bool:
    """Tell from the first ``START`` bytes of a file without extension whether it is an image."""
    return start.startswith(_SIGNATURES) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")
