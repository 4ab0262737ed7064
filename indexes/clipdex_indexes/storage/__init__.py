"""The files of an index; nothing here searches."""
