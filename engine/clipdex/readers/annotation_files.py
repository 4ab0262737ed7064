"""Finding, at a glance, a file of annotations where the images alone are read: in a folder, or in an archive."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.layout import Layout

# So many folders, and files of each kind in a folder, are looked at.
_MOST_FOLDERS = 30
_MOST_FILES = 5
# Beside photographs as programs leave them there: they describe photographs, and label nothing.
_OTHERS = re.compile(
    r"(?:metadata|sample_submission|package|tsconfig|settings|readme|license|manifest|requirements)\b.*", re.IGNORECASE
)
_NAMED = re.compile(
    r".*(?:annotation|annots?\b|labels?\b|label_?txt|bbox|instances_|groundtruth|ground_truth|via_|list_attr|identity_)"
    r".*|gt\.[a-z]+|obj\.data|samples\.json|(?:train|val|valid|validation|test)\.json",
    re.IGNORECASE,
)
_JSON_KEYS = re.compile(
    r'"(?:annotations|categories|category_id|shapes|regions|bbox|bboxes|bounding_?[Bb]ox(?:es)?|segmentation|keypoints'
    r'|imagePath|_via_settings|file_attributes|label_class|class_id|classTitle|polygon|xmin|x_min)"\s*:'
)
_JSON_LABELS = re.compile(r'"(?:labels?|objects?|annotation|class(?:es)?|tags)"\s*:')
_XML = re.compile(r"<(?:annotations?|tagset)(?=[\s>])|<(?:bndbox|polygon|image\s[^>]*\bfile)\b")
_BOX = re.compile(
    r"\b(?:x_?min|xmin|bbox\w*|x1|x_1|left|box_?x|xtl|bounding_?box|region_shape_attributes|encodedpixels)\b",
    re.IGNORECASE,
)
_IMAGE_COLUMN = re.compile(
    r"\b(?:image|img|file|path|photo|picture)[ _]?(?:id|name|path|file|s)?\b|filename", re.IGNORECASE
)
_LABEL_COLUMN = re.compile(
    r"\b(?:labels?|class(?:es|_?id|_?name)?|category(?:_?id)?|target|breed|species|diagnosis|findings?)\b",
    re.IGNORECASE,
)
# A line of YOLO, of DOTA or of MOT: a row of numbers, perhaps with a class before or after them.
_NUMBERS = re.compile(r"(?:[\w-]+[ \t,])?(?:-?\d+(?:\.\d+)?(?:e-?\d+)?[ \t,]+){3,}-?\d+(?:\.\d+)?[ \t,\w-]*")
# A line of an image and its boxes: a.jpg 50,100,150,200,0 30,50,200,120,3
_WITH_BOXES = re.compile(r"\.(?:jpe?g|png|bmp|tiff?)(?:[ \t]+-?\d+(?:\.\d+)?(?:,-?\d+(?:\.\d+)?){3,})+$", re.IGNORECASE)
_OF_IMAGE = re.compile(r"^gt_|_gt$", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LEAST_NUMBERS = 4
_NAMES = re.compile(r"(?m)^\s*(?:names|nc|classes|path|train)\s*:")
# In an archive, where only names are looked at.
_MEMBER = re.compile(
    r"(?:^|/)(?:_?annotations?\b[^/]*\.(?:xml|json|csv)|annotations/(?:.*/)?[^/]+\.(?:xml|json|csv)|labels/(?:.*/)?[^/]+\.txt"
    r"|instances_[^/]*\.json|data\.ya?ml|obj\.data|_classes\.csv|via_[^/]*\.json)$",
    re.IGNORECASE,
)
ARCHIVES = frozenset({".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".xz", ".bz2", ".zst"})
_WITHOUT_LOOKING = frozenset({".tfrecord", ".tfrecords", ".record"})


def annotation_file(layout: Layout) -> str:
    """Return the path of a file that looks like annotations of the images of a folder; empty where none does.

    Only names, and the beginnings of a few files of each kind, are looked at.
    """
    for folder in itertools.islice(_folders(layout), _MOST_FOLDERS):
        above = f"{folder}/" if folder else ""
        entries = [entry.name for entry in layout.entries(folder)]
        images = _stems_of_images(layout, folder)
        looked_at: dict[str, int] = {}
        # Those that are called as annotations are first.
        for name in sorted(entries, key=lambda name: (not _NAMED.fullmatch(name), name)):
            suffix = suffix_of(name)
            if _OTHERS.fullmatch(name) or looked_at.get(suffix, 0) >= _MOST_FILES:
                continue
            if suffix in _WITHOUT_LOOKING or (suffix in ARCHIVES and _NAMED.fullmatch(name)):
                return above + name
            if suffix not in _LOOKS:
                continue
            looked_at[suffix] = looked_at.get(suffix, 0) + 1
            stem = name.rpartition(".")[0].lower()
            paired = (
                stem in images
                or _OF_IMAGE.sub("", stem) in images
                or _NAMED.fullmatch(folder.rpartition("/")[2]) is not None
            )
            if _LOOKS[suffix](layout.start(above + name), _NAMED.fullmatch(name) is not None, paired, images):
                return above + name
    return ""


def is_annotation_member(path: str) -> bool:
    """Tell whether a file of an archive looks like annotations, by its path."""
    return _MEMBER.search(path) is not None


def _folders(layout: Layout) -> Iterator[str]:
    yield ""
    for pattern in ("*", "*/*", "*/*/*"):
        found = layout.find(pattern)
        yield from sorted(found, key=lambda path: not _NAMED.fullmatch(path.rpartition("/")[2]))


def _stems_of_images(layout: Layout, folder: str) -> set[str]:
    """Return the names of the images in a folder and in those beside and in it, without extensions, in lower case."""
    above = folder.rpartition("/")[0]
    beside = [f"{above}/{entry.name}".lstrip("/") for entry in layout.entries(above)] if folder else []
    inside = layout.find(f"{folder}/*".lstrip("/"))
    folders = (folder, *beside[:_MOST_FOLDERS], *inside[:_MOST_FOLDERS])
    names = (entry.name for one in folders for entry in layout.entries(one))
    return {name.rpartition(".")[0].lower() for name in names if suffix_of(name) in IMAGE_SUFFIXES}


def _json(text: str, named: bool, paired: bool, images: Collection[str]) -> bool:
    text = text.strip("\ufeff\0 \t\r\n")
    # An empty file, or one with comments, should have been one of annotations as well.
    if named and (not text or text.startswith(("//", "/*"))):
        return True
    if not text.startswith(("{", "[")):
        return False
    if named or _JSON_KEYS.search(text) is not None:
        return True
    return paired and _JSON_LABELS.search(text) is not None


def _xml(text: str, named: bool, paired: bool, images: Collection[str]) -> bool:
    return _XML.search(text) is not None or (named and not text.strip())


def _table(text: str, named: bool, paired: bool, images: Collection[str]) -> bool:
    if named and not text.strip():
        return True
    header = text.partition("\n")[0]
    if not re.search(r"[,;\t|]", header):
        return False
    rows = [
        [cell.strip().strip('"') for cell in re.split(r"[,;\t|]", line)] for line in text.splitlines()[:_MOST_FILES]
    ]
    if any(_is_name(cell, images) for cell in rows[0]):
        # There is no header, and what is beside the name of an image is a word, or a box.
        others = [cell for cell in rows[0] if cell and not _is_name(cell, images)]
        numbers = [cell for cell in others if _NUMBER.fullmatch(cell)]
        return len(numbers) < len(others) or len(numbers) >= _LEAST_NUMBERS
    has_images = _IMAGE_COLUMN.search(header) is not None or any(
        _is_name(cell, images) or cell.lower() in images for row in rows[1:] for cell in row
    )
    return has_images and (_BOX.search(header) is not None or _LABEL_COLUMN.search(header) is not None or named)


def _is_name(cell: str, images: Collection[str]) -> bool:
    """Tell whether a cell of a table is the name or the path of one of the images, which are without extensions."""
    name = cell.replace("\\", "/").rpartition("/")[2].lower()
    return suffix_of(name) in IMAGE_SUFFIXES and name.rpartition(".")[0] in images


def _text(text: str, named: bool, paired: bool, images: Collection[str]) -> bool:
    lines = [line.strip() for line in text.splitlines()[:_MOST_FILES]]
    rows = [line for line in lines if _NUMBERS.fullmatch(line)]
    # The last line may be cut off.
    if (paired or named) and rows and len(rows) >= len([line for line in lines if line]) - 2:
        return True
    if any(_WITH_BOXES.search(line) for line in lines):
        return True
    return named and any(re.search(r"\.(?:jpe?g|png|bmp|tiff?)[\s,]+\S", line, re.IGNORECASE) for line in lines)


def _yaml(text: str, named: bool, paired: bool, images: Collection[str]) -> bool:
    return len({found.strip() for found in _NAMES.findall(text)}) >= 2


_LOOKS = {
    ".json": _json,
    ".jsonl": _json,
    ".ndjson": _json,
    ".geojson": _json,
    ".xml": _xml,
    ".csv": _table,
    ".tsv": _table,
    ".txt": _text,
    ".yaml": _yaml,
    ".yml": _yaml,
}
