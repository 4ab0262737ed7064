"""Telling masks from images: by the layout of a dataset, or by where they are and what they are called."""

from __future__ import annotations

import glob
import os
import re
from typing import NamedTuple

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.layout import Layout


class Masks(NamedTuple):
    """The masks of a layout.

    Attributes
    ----------
    layout
        Name of the layout.
    why
        What speaks for it, such as "it has leftImg8bit and gtFine".
    names
        Names of the folders and files that are masks, which may have wildcards.
    """

    layout: str
    why: str
    names: tuple[str, ...]


class _Known(NamedTuple):
    """A layout: its name, what must be there in one of several places, and the names of its masks."""

    name: str
    places: tuple[tuple[str, ...], ...]
    masks: tuple[str, ...]


# In places, * matches no slash. The first layout that fits counts.
_LAYOUTS = (
    _Known(
        "Cityscapes",
        tuple((f"{above}leftImg8bit", f"{above}{masks}") for above in ("", "*/") for masks in ("gtFine", "gtCoarse")),
        ("gtFine*", "gtCoarse*", "disparity*"),
    ),
    _Known(
        "Pascal VOC",
        tuple((f"{above}JPEGImages", f"{above}Segmentation*") for above in ("", "*/", "*/*/")),
        ("SegmentationClass*", "SegmentationObject*"),
    ),
    _Known("ADE20K", (("images/training", "annotations/training/*.png"),), ("annotations*",)),
    _Known(
        "SYNTHIA",
        (("RGB", "GT"), ("RGBLeft", "GTLeft"), ("RGB", "SemSeg")),
        ("GT*", "Depth*", "SemSeg*", "InstSeg*"),
    ),
    _Known(
        "Mapillary Vistas",
        (("config*.json", "*/images", "*/labels"), ("config*.json", "*/images", "*/v*/labels")),
        ("labels", "instances", "panoptic"),
    ),
    _Known(
        "MOTS",
        (
            ("*/images", "*/instances/*.png"),
            ("*/images", "*/instances/*/*.png"),
            ("images", "instances/*.png"),
            ("instances/*/*.png",),
        ),
        ("instances",),
    ),
    _Known(
        "KITTI",
        (("*/image_2", "*/semantic"), ("*/image_2", "*/instance")),
        ("semantic", "semantic_rgb", "instance"),
    ),
    _Known(
        "CamVid",
        (("label_colors.txt", "*annot"), ("trainannot", "train"), ("class_dict.csv", "*_labels")),
        ("*annot", "*_labels"),
    ),
)
# Masks of ADE20K lie beside their image, in folders of scenes.
_BESIDE = tuple(f"{'*/' * depth}*_seg.png" for depth in range(6))
_ADE20K = ("*_seg.png", "*_parts_*.png", "instance_*.png")
# Others have all of their masks beside the images, as Roboflow exports them.
_ALL_BESIDE = ("*_mask.png", "*/*_mask.png", "*/*/*_mask.png")
_IMAGES = frozenset({"images", "image", "imgs", "img", "rgb", "input", "inputs", "jpegimages"})
_MASKS = re.compile(
    r"(?P<images>.*?)[_-]?"
    r"(?:masks?|trimaps?|ground_?truth|gt|seg|segmentations?|label_?maps?|labels?|annot|annotations?)",
    re.IGNORECASE,
)
_LOSSLESS = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})
_ENDS = re.compile(r"(?:[_-](?:masks?|seg|segmentation|L|gt|label|labelIds|groundtruth))?$", re.IGNORECASE)
_OF_IMAGES = (".jpg", ".png", ".jpeg", ".JPG", ".PNG", ".tif", ".bmp", ".webp")
_LOOKED_AT = 5
# What separates names from each other where a user writes them, in place of which they have a wildcard.
_AMBIGUOUS = re.compile(r"^\s|,")
_FOLDER = re.compile(
    r"(?:^|/)(?:[^/]*annot(?:ations?)?|[^/]*masks?|[^/]*labels?|gt(?:Fine|Coarse)?\w*|ground_?truth|Segmentation\w*"
    r"|instances?|panoptic\w*|semantic\w*|semseg|instseg|trimaps|depth\w*|disparity|scribbles)/",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?:_seg|_parts_\d+|_mask|_labelIds|_labelTrainIds|_instanceIds|_color|_L|(?:^|/)instance_\d[^/]*)"
    r"\.(?:png|bmp|gif|tiff?)$"
)


def is_usually_mask(path: str) -> bool:
    """Tell whether an image at a relative path is a mask in nearly all datasets that have annotations."""
    return _FOLDER.search(path) is not None or _NAME.search(path) is not None


def known_masks(layout: Layout) -> Masks | None:
    """Return the masks of a folder, where its layout says that it has some: by its folders, or by pairs of names."""
    for known in _LAYOUTS:
        for patterns in known.places:
            found = [next(iter(layout.find(pattern)), "") for pattern in patterns]
            if all(found):
                return Masks(known.name, f"it has {' and '.join(found)}", known.masks)
    for pattern in _BESIDE:
        for path in layout.find(pattern)[:_LOOKED_AT]:
            if _is_beside(layout, path):
                return Masks("ADE20K", f"it has {path} beside its image", _ADE20K)
    for pattern in _ALL_BESIDE:
        found = layout.find(pattern)[:_LOOKED_AT]
        if found and all(_is_beside(layout, path) for path in found):
            return Masks("images with masks", f"it has {found[0]} beside its image", ("*_mask.png",))
    for folder in ("", *layout.find("*"), *layout.find("*/*")):
        if (pair := _pair(layout, f"{folder}/" if folder else "")) is not None:
            return pair
    return None


def _pair(layout: Layout, above: str) -> Masks | None:
    """Find two folders beside one another whose files have the same names, where one is called as masks are."""
    names = [entry.name for entry in layout.entries(above.rstrip("/")) if _is_folder(entry)]
    by_lower = {name.lower(): name for name in names}
    for masks in names:
        called = _MASKS.fullmatch(masks)
        if called is None:
            continue
        for images in sorted({*_IMAGES, called["images"].lower()} & by_lower.keys() - {masks.lower()}):
            inside = [entry.name for entry in layout.entries(above + masks) if _is_folder(entry)]
            for folder in ("", *(f"/{name}" for name in inside[:_LOOKED_AT])):
                of_masks, beside = f"{above}{masks}{folder}", f"{above}{by_lower[images]}{folder}"
                files = [entry.name for entry in layout.entries(of_masks) if suffix_of(entry.name) in IMAGE_SUFFIXES]
                if files and all(_has_image(layout, f"{beside}/", name) for name in files[:_LOOKED_AT]):
                    why = f"the files in {of_masks} are called as those in {beside}"
                    return Masks("images with masks", why, (_AMBIGUOUS.sub("?", glob.escape(masks)),))
    return None


def _is_beside(layout: Layout, mask: str) -> bool:
    """Tell whether the image that a mask belongs to is in the same folder."""
    folder, _, name = mask.rpartition("/")
    return _has_image(layout, f"{folder}/" if folder else "", name, itself=False)


def _has_image(layout: Layout, folder: str, mask: str, *, itself: bool = True) -> bool:
    """Tell whether a folder, with a slash after it, has the image that a mask belongs to, by its name.

    ``itself`` tells whether the image may have the name of the mask.
    """
    stem, suffix = os.path.splitext(mask)  # noqa: PTH122
    stems = {_ENDS.sub("", stem), *((stem,) if itself else ())}
    return suffix.lower() in _LOSSLESS and any(layout.has(folder + one + end) for one in stems for end in _OF_IMAGES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
