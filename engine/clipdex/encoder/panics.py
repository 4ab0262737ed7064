"""Panics of Rust libraries, which reach Python as an exception that is no ``Exception``."""

from __future__ import annotations


def is_panic(error: BaseException) -> bool:
    """Tell whether an exception is a panic: it has no name that could be imported."""
    return type(error).__name__ == "PanicException"
