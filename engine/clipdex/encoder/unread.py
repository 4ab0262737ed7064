"""The words of a text that a model does not read: unknown tokens, and other scripts than that of its language.

A tokenizer knows which characters its vocabulary lacks: they become one token that stands for all of them, or bytes. A
tokenizer of bytes lacks none, and then the languages of the model tell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tokenizers import Encoding, Tokenizer

from clipdex.encoder.languages import is_latin, reads_latin_alone

_LETTERS, _OTHER_LETTERS, _SYMBOLS, _MARKS = "letters", "other letters", "symbols", "marks"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
# For what no vocabulary has.
_PRIVATE = "\U0010fffd"


@dataclass(frozen=True, slots=True)
class Unread:
    """What a model does not read of a text.

    Attributes
    ----------
    words
        Such words and symbols, each once, in order.
    whole
        Whether nothing of the text is read.
    """

    words: tuple[str, ...] = ()
    whole: bool = False


class Word(NamedTuple):
    """A run of characters of one kind in a text: the place of the first, the place after the last, and the kind."""

    start: int
    end: int
    kind: str


def unknown_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """Return the tokens that stand for what the vocabulary lacks: the unknown token, or single bytes."""
    model = tokenizer.model
    probe = [] if hasattr(model, "unk_token") else [(token.id, token.value) for token in model.tokenize(_PRIVATE)]
    ids = {number for number, _ in probe}
    if (unknown := getattr(model, "unk_token", None)) is not None:
        ids.add(tokenizer.token_to_id(unknown))
    if getattr(model, "byte_fallback", False) or any(_BYTE.fullmatch(value) for _, value in probe):
        ids.update(tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in range(256))
    return frozenset(number for number in ids if number is not None)


def unread(text: str, encoding: Encoding, unknown: frozenset[int], languages: Sequence[str]) -> Unread:
    """Return what a model does not read of a text.

    Parameters
    ----------
    text
        The text.
    encoding
        Its tokens, with the places of their characters in the text.
    unknown
        The tokens that stand for what the vocabulary lacks.
    languages
        The languages of the model; empty where they are not known.
    """
    of_text = [
        (number, span)
        for number, span, word in zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True)
        if word is not None  # those of the template have no word
    ]
    lacking = [span for number, span in of_text if number in unknown]
    latin = reads_latin_alone(languages)
    words = words_of(text)
    missed = [
        word
        for word in words
        if any(start < word.end and word.start < end for start, end in lacking)
        or (latin and word.kind == _OTHER_LETTERS)
    ]
    carrying = {_LETTERS, _OTHER_LETTERS} if latin else {_LETTERS, _OTHER_LETTERS, _SYMBOLS}
    read = bool(of_text) and any(word.kind in carrying for word in words if word not in missed)
    return Unread(tuple(dict.fromkeys(text[word.start : word.end] for word in missed)), not read)


def words_of(text: str) -> list[Word]:
    """Split a text into runs of Latin letters and digits, of other letters, of symbols, and of punctuation marks."""
    words: list[Word] = []
    for place, character in enumerate(text):
        kind = _kind(character)
        last = words[-1] if words and words[-1].end == place else None
        if kind == "" or (kind is None and last is None):
            continue
        # Digits, accents and joiners belong to what they follow.
        if last is not None and (kind is None or kind == last.kind or (character.isdigit() and "letters" in last.kind)):
            words[-1] = last._replace(end=place + 1)
        else:
            words.append(Word(place, place + 1, kind or _MARKS))
    return words


def _kind(character: str) -> str | None:
    """Return the kind of a character: empty for one between words, None for one that has none of its own."""
    category = unicodedata.category(character)
    if character.isspace() or category in ("Cc", "Cs"):
        return ""
    if category[0] == "M" or category == "Cf":
        return None
    if category[0] in "LN":
        return _LETTERS if category[0] == "N" or is_latin(character) else _OTHER_LETTERS
    return _MARKS if category[0] == "P" else _SYMBOLS
