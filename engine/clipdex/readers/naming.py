"""What the path of an image says of its item: whether it is hidden, its subset and its label.

One rule for everything that is laid out as folders: folders, patterns, archives, and lists without such columns.
"""

from __future__ import annotations

import re
import unicodedata

from clipdex.readers.base import DEFAULT_SUBSET

SUBSETS = frozenset({"train", "val", "valid", "validation", "test", "training", "testing"})
# A folder with a file of this name is not read. Saved results have one, so that they are not indexed in turn.
IGNORE_MARK = ".clipdexignore"

# Folders that file servers and systems make inside folders of users, for thumbnails, deleted files and their own use.
_SYSTEM_FOLDERS = frozenset(
    {
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
        *("__macosx", "lost+found", "$recycle.bin", "system volume information"),
    }
)
_HIDDEN = re.compile(
    rf"(?:^|/)(?:\.(?!\.(?:/|$))|(?:{'|'.join(map(re.escape, sorted(_SYSTEM_FOLDERS)))})/)", re.IGNORECASE
)


def is_system_folder(name: str) -> bool:
    """Tell whether a folder of this name is of a system or a file server, such as ``@eaDir`` and ``lost+found``."""
    return name.lower() in _SYSTEM_FOLDERS


def is_hidden(path: str) -> bool:
    """Tell whether a relative path is a hidden file, or goes through a hidden folder or one of a system."""
    return _HIDDEN.search(path) is not None


def subset_and_labels(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the subset and the labels of the image at a relative POSIX path.

    The subset is the first folder if it has a usual name such as ``train``, otherwise ``default``. The label is the
    name of the folder of the image, unless that is the root or the folder of the subset.
    """
    folders = path.split("/")[:-1]
    subset = folders[0] if folders and folders[0] in SUBSETS else DEFAULT_SUBSET
    labelled = len(folders) > (subset != DEFAULT_SUBSET)
    return subset, (folders[-1],) if labelled else ()


def comparable(name: str) -> str:
    """Return what a name has in common with those that differ from it in letter case and Unicode spelling only."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def shown(name: str) -> str:
    """Return a name with bytes that are not valid UTF-8 escaped."""
    return name.encode(errors="backslashreplace").decode()
