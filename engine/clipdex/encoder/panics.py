"""Panics of Rust libraries, which reach Python as a ``BaseException``."""

from __future__ import annotations


def is_panic(error: BaseException) -> bool:
    """Tell whether an exception is a panic. Its class cannot be imported, so its name is compared."""
    return type(error).__name__ == "PanicException"
