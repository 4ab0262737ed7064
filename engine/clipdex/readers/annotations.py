"""What a reader could not read of the annotations of a dataset: how much, and the first of it by file and line."""

from __future__ import annotations

from typing import NamedTuple

# So many are named; of the others only the number is kept.
MOST_NAMED = 1000
_MOST_CHARACTERS = 300


class AnnotationProblem(NamedTuple):
    """One annotation, or file of annotations, that could not be read.

    Attributes
    ----------
    file
        Path of the file relative to the root of the dataset; absolute where it is outside.
    reason
        What is wrong, as the end of a sentence.
    line
        Number of the line, from 1; 0 where the whole file, or an entry without a line of its own, is meant.
    """

    file: str
    reason: str
    line: int = 0

    @property
    def sentence(self) -> str:
        """The reason, with the number of the line before it."""
        return f"line {self.line}: {self.reason}" if self.line else self.reason


class AnnotationProblems:
    """The annotations that one reader could not read. Their images stay in the dataset.

    Attributes
    ----------
    count
        How many there are.
    named
        The first of them, ``MOST_NAMED`` at most.
    """

    def __init__(self) -> None:
        self.count = 0
        self.named: list[AnnotationProblem] = []

    def add(self, file: str, reason: str, line: int = 0, count: int = 1) -> None:
        """Note an annotation that could not be read.

        Parameters
        ----------
        file, reason, line
            As in ``AnnotationProblem``. Of a long reason the beginning is kept.
        count
            How many annotations that stands for.
        """
        self.count += count
        if len(self.named) < MOST_NAMED:
            short = reason if len(reason) <= _MOST_CHARACTERS else f"{reason[:_MOST_CHARACTERS]}..."
            self.named.append(AnnotationProblem(file, short, line))

    def clear(self) -> None:
        """Forget all of them."""
        self.count = 0
        self.named.clear()

    def add_all(self, others: AnnotationProblems, prefix: str = "") -> None:
        """Note those of another reader, with a prefix before their files."""
        self.count += others.count
        room = MOST_NAMED - len(self.named)
        self.named += [one._replace(file=prefix + one.file) for one in others.named[:room]]
