"""Telling masks from images by where they are and what they are called."""

from __future__ import annotations

import re

_FOLDER = re.compile(
    r"(?:^|/)(?:[^/]*annot[^/]*|[^/]*masks?|[^/]*labels?|gt\w*|ground_?truth|segmentation\w*|instances?|panoptic\w*"
    r"|semantic\w*|semseg|instseg|trimaps|depth\w*|disparity)/",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?:_seg|_parts_\d+|_mask|_labelIds|_labelTrainIds|_instanceIds|_color|_L|(?:^|/)instance_\d[^/]*)\.(?:png|bmp|gif|tiff?)$"
)


def is_usually_mask(path: str) -> bool:
    """Tell whether an image at a relative path is a mask in nearly all datasets that have annotations."""
    return _FOLDER.search(path) is not None or _NAME.search(path) is not None
