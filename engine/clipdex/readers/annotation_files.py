"""Finding, at a glance, a file of annotations where the images alone are read: in a folder, or in an archive."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.layout import Layout

# So many folders, and files of each kind in a folder, are looked at.
_MOST_FOLDERS = 30
_MOST_FILES = 5
# Beside photographs as programs leave them there: they describe photographs, and label nothing.
_OTHERS = re.compile(r"(?:metadata|package|tsconfig|settings|readme|license|manifest|requirements)\b.*", re.IGNORECASE)
_NAMED = re.compile(
    r".*(?:annotation|annots?\b|labels?\b|label_?txt|bbox|instances_|groundtruth|ground_truth|via_|list_attr|identity_)"
    r".*|gt\.[a-z]+|obj\.data",
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
    r"\b(?:labels?|class(?:es|_?id|_?name)?|category(?:_?id)?|target|breed|species)\b", re.IGNORECASE
)
# A line of YOLO, of DOTA or of MOT: a row of numbers, perhaps with a class before or after them.
_NUMBERS = re.compile(r"(?:[\w-]+[ \t,])?(?:-?\d+(?:\.\d+)?(?:e-?\d+)?[ \t,]+){3,}-?\d+(?:\.\d+)?[ \t,\w-]*")
# A line of an image and its boxes: a.jpg 50,100,150,200,0 30,50,200,120,3
_WITH_BOXES = re.compile(r"\.(?:jpe?g|png|bmp|tiff?)(?:[ \t]+-?\d+(?:\.\d+)?(?:,-?\d+(?:\.\d+)?){3,})+$", re.IGNORECASE)
_NAMES = re.compile(r"(?m)^\s*(?:names|nc|classes|path|train)\s*:")
# In an archive, where only names are looked at.
_MEMBER = re.compile(
    r"(?:^|/)(?:_?annotations?\b[^/]*\.(?:xml|json|csv)|annotations/(?:.*/)?[^/]+\.(?:xml|json|csv)|labels/(?:.*/)?[^/]+\.txt"
    r"|instances_[^/]*\.json|data\.ya?ml|obj\.data|_classes\.csv|via_[^/]*\.json)$",
    re.IGNORECASE,
)
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
            if suffix in _WITHOUT_LOOKING:
                return above + name
            if suffix not in _LOOKS:
                continue
            looked_at[suffix] = looked_at.get(suffix, 0) + 1
            paired = (
                name.rpartition(".")[0].lower() in images or _NAMED.fullmatch(folder.rpartition("/")[2]) is not None
            )
            if _LOOKS[suffix](layout.start(above + name), _NAMED.fullmatch(name) is not None, paired):
                return above + name
    return ""


def is_annotation_member(path: str) -> bool:
    """Tell whether a file of an archive looks like annotations, by its path."""
    return _MEMBER.search(path) is not None


def _folders(layout: Layout) -> Iterator[str]:
    yield ""
    for pattern in ("*", "*/*"):
        found = layout.find(pattern)
        yield from sorted(found, key=lambda path: not _NAMED.fullmatch(path.rpartition("/")[2]))


def _stems_of_images(layout: Layout, folder: str) -> set[str]:
    """Return the names of the images in a folder and in those beside it, without extensions and in lower case."""
    above = folder.rpartition("/")[0]
    beside = [f"{above}/{entry.name}".lstrip("/") for entry in layout.entries(above)] if folder else []
    names = (entry.name for one in (folder, *beside[:_MOST_FOLDERS]) for entry in layout.entries(one))
    return {name.rpartition(".")[0].lower() for name in names if suffix_of(name) in IMAGE_SUFFIXES}


def _json(text: str, named: bool, paired: bool) -> bool:
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return False
    if named or _JSON_KEYS.search(text) is not None:
        return True
    return paired and _JSON_LABELS.search(text) is not None


def _xml(text: str, named: bool, paired: bool) -> bool:
    return _XML.search(text) is not None


def _table(text: str, named: bool, paired: bool) -> bool:
    header = text.partition("\n")[0]
    if not re.search(r"[,;\t|]", header):
        return False
    return _IMAGE_COLUMN.search(header) is not None and (
        _BOX.search(header) is not None or _LABEL_COLUMN.search(header) is not None or named
    )


def _text(text: str, named: bool, paired: bool) -> bool:
    lines = [line.strip() for line in text.splitlines()[:_MOST_FILES]]
    rows = [line for line in lines if _NUMBERS.fullmatch(line)]
    # The last line may be cut off.
    if (paired or named) and rows and len(rows) >= len([line for line in lines if line]) - 2:
        return True
    if any(_WITH_BOXES.search(line) for line in lines):
        return True
    return named and any(re.search(r"\.(?:jpe?g|png|bmp|tiff?)\s+\S", line, re.IGNORECASE) for line in lines)


def _yaml(text: str, named: bool, paired: bool) -> bool:
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
