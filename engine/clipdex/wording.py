"""Phrases that all messages share."""

from __future__ import annotations

# Initials that are spoken with a vowel: an HTTPError, an ndarray.
_SPOKEN_WITH_A_VOWEL = frozenset("AEFHILMNORSX")
_LETTER_BY_LETTER = ("ndarray",)


def counted(count: int, what: str) -> str:
    """Return a count with its noun, for example ``1 item`` and ``1,000 items``. The plural of ``what`` adds an s."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def with_article(what: str) -> str:
    """Write ``what`` with its article: a str, an int, an ndarray. Quotes around it do not count."""
    word = what.lstrip("'\"")
    if word[:2].isupper():
        vowel = word[0] in _SPOKEN_WITH_A_VOWEL
    else:
        vowel = word[:1].lower() in ("a", "e", "i", "o") or word.lower().startswith(_LETTER_BY_LETTER)
    return f"{'an' if vowel else 'a'} {what}"


def shown(value: object, most: int = 200) -> str:
    """Write a value for a message, as Python does; a long one is cut off."""
    return shortened(repr(value), most)


def shortened(text: str, most: int = 200) -> str:
    """Return a text from outside for a message; a long one is cut off."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def type_of(value: object) -> str:
    """Write the type of a value, for a message: a str, an int, None."""
    if value is None:
        return "None"
    return with_article(type(value).__name__)


def printable(text: str) -> str:
    """Show control characters as escapes, so that a name can steer no terminal, and cannot hide in a page.

    They are those of Unicode: of C0 and C1, ends of lines and paragraphs, and marks that turn the direction of a text.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
