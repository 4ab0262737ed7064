"""The files of an index: written whole or not at all, checked when they are read. Nothing here compares keys."""
