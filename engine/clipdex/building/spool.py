"""A list that may be too long for memory: plain values in a temporary file, read back in order."""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Iterator
from types import TracebackType

from clipdex.errors import IndexWriteFailed

_IN_MEMORY = 32 << 20
_BATCH = 1000

Plain = tuple[object, ...]


class Spool:
    """A list of tuples of texts, numbers and such tuples: append, then iterate. A short list never touches the disk."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the object
        self._pending: list[Plain] = []
        self._count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, values: Plain) -> None:
        """Add one tuple.

        Raises
        ------
        IndexWriteFailed
            When the temporary file cannot be written.
        """
        self._pending.append(values)
        self._count += 1
        if len(self._pending) == _BATCH:
            self._flush()

    def __iter__(self) -> Iterator[Plain]:
        self._flush()
        self._file.seek(0)
        while size := int.from_bytes(self._file.read(8), "little"):
            # What we wrote ourselves, to a file without a name.
            yield from marshal.loads(self._file.read(size))  # noqa: S302

    def _flush(self) -> None:
        data = marshal.dumps(self._pending)
        try:
            self._file.seek(0, 2)
            self._file.write(len(data).to_bytes(8, "little") + data)
        except OSError as error:
            raise IndexWriteFailed(
                f"cannot keep the list of files to hash in {tempfile.gettempdir()}: {error.strerror or error}. The "
                "variable TMPDIR names another folder."
            ) from error
        self._pending.clear()
