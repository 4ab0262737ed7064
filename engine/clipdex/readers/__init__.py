"""Readers: what turns a location into the items of a dataset."""

from clipdex.media.opening import add_kind
from clipdex.readers.base import Reader, ReadItem, UnreadableItem
from clipdex.readers.folder import FolderReader
from clipdex.readers.naming import IGNORE_MARK

__all__ = ["IGNORE_MARK", "FolderReader", "ReadItem", "Reader", "UnreadableItem"]

# Its members are told by their names alone, which may be those of files in an archive too: so it comes last.
add_kind("clipdex.readers.datumaro.media")
