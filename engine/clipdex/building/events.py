"""What a build tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far a build is.

    Attributes
    ----------
    phase
        ``scan`` while the dataset is compared with its index, then ``hash``.
    done, total
        Number of items that were compared or hashed, and of how many; None where that is not known.
    failed
        Number of items that failed so far.
    """

    phase: str
    done: int
    total: int | None
    failed: int


Waiting = Callable[[str], None]
Progress = Callable[[BuildProgress], None]
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuildEvents:
    """What a build calls, from the thread that it runs in; None where nobody listens.

    Attributes
    ----------
    waiting
        Called when the build begins to wait for another process that writes to the index, with the name of that
        process.
    progress
        Called now and then with a ``BuildProgress``.
    notice
        Called before anything is hashed, with each sentence that the user should know of how the dataset is read.
    """

    waiting: Waiting | None = None
    progress: Progress | None = None
    notice: Notice | None = None
