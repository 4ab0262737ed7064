"""Readers: what turns a location into the items of a dataset."""

from clipdex.readers.folder import IGNORE_MARK, FolderReader, ReadItem, UnreadableItem

__all__ = ["IGNORE_MARK", "FolderReader", "ReadItem", "UnreadableItem"]
