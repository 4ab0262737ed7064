"""Readers: what turns a location into the items of a dataset."""

from clipdex.readers.base import Reader, ReadItem, UnreadableItem
from clipdex.readers.folder import FolderReader
from clipdex.readers.naming import IGNORE_MARK

__all__ = ["IGNORE_MARK", "FolderReader", "ReadItem", "Reader", "UnreadableItem"]
