"""What the path of an image says of its item: whether it is hidden, its subset and its label.

One rule for everything that is laid out as folders: folders, patterns, archives, and lists without such columns.
"""

from __future__ import annotations

from clipdex.readers.base import DEFAULT_SUBSET

SUBSETS = frozenset({"train", "val", "validation", "test", "training", "testing"})
# A folder with a file of this name is not read. Saved results have one, so that they are not indexed in turn.
IGNORE_MARK = ".clipdexignore"


def is_hidden(path: str) -> bool:
    """Tell whether a relative path is, or goes through, a hidden file or folder."""
    return "." in path and any(part.startswith(".") and part != ".." for part in path.split("/"))


def subset_and_labels(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the subset and the labels of the image at a relative POSIX path.

    The subset is the first folder if it has a usual name such as ``train``, otherwise ``default``. The label is the
    name of the folder of the image, unless that is the root or the folder of the subset.
    """
    folders = path.split("/")[:-1]
    subset = folders[0] if folders and folders[0] in SUBSETS else DEFAULT_SUBSET
    labelled = len(folders) > (subset != DEFAULT_SUBSET)
    return subset, (folders[-1],) if labelled else ()


def shown(name: str) -> str:
    """Return a name with bytes that are not valid UTF-8 escaped."""
    return name.encode(errors="backslashreplace").decode()
