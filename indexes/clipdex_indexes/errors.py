"""Errors of the index, under the root of all clipdex errors.

::

    ClipdexError                 anything clipdex refuses or cannot do; ``exit_code`` 1
    └── IndexFailure             the index on disk
        ├── IndexNotFound        there is no index here
        ├── IndexCorrupt         a file of it is damaged, cut off, or not what the manifest says
        ├── IndexTooNew          written by a newer clipdex, in a format this one cannot read
        ├── IndexLocked          another process is writing to it
        ├── IndexWriteFailed     it could not be written; the old one is as it was
        └── TagsFailure          the file of tags beside it is damaged, or cannot be read or written

Every error has one message for the user: what is wrong, where, and what to do. All errors can be pickled.
"""

from __future__ import annotations


class ClipdexError(Exception):
    """Root of the errors that clipdex raises on purpose."""

    exit_code = 1

    @property
    def message(self) -> str:
        """The text to show to a user."""
        return str(self)


class IndexFailure(ClipdexError):
    """Something about an index on disk."""


class IndexNotFound(IndexFailure):
    """No index where one was expected."""


class IndexCorrupt(IndexFailure):
    """A file of the index is damaged, incomplete or inconsistent."""


class IndexTooNew(IndexFailure):
    """The format of the index is newer than those that this package reads."""


class IndexLocked(IndexFailure):
    """Another process holds the writer's lock."""


class IndexWriteFailed(IndexFailure):
    """Writing failed; the index is as it was before."""


class TagsFailure(IndexFailure):
    """The tags beside an index cannot be read or written; the index itself is whole."""
