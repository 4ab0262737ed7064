"""Turning a text query into the tokens of a text tower: the prompt, then the tokenizer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from clipdex.encoder.model import TextSettings
from clipdex.encoder.panics import is_panic
from clipdex.encoder.unread import Unread, unknown_ids, unread
from clipdex.errors import ModelCorrupt

_SHORT_QUERY_WORDS = 3
_LONGEST_TEXT = 20_000
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_SENTENCE_MARKS = ".!?,;:"

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one text: ids and attention mask, int64 ``[1, n]``, and whether the text was cut to fit."""

    ids: Ints
    mask: Ints
    truncated: bool


def is_short(text: str) -> bool:
    """Tell whether a query is a few words. A prompt helps those, and harms a sentence."""
    return len(text.split()) <= _SHORT_QUERY_WORDS and not any(mark in text for mark in _SENTENCE_MARKS)


def prompted(text: str, settings: TextSettings, prompting: str = "auto") -> tuple[str, ...]:
    """Return the texts to encode for a query. The embeddings of several texts are averaged.

    A short query is put into the model's prompt. A longer text, or one with punctuation, stays as it is. An article at
    the start is dropped, because the prompt has its own: "a dog" becomes "a photo of a dog".

    Parameters
    ----------
    text
        The query.
    settings
        Text settings of the model.
    prompting
        One of ``defaults.PROMPTINGS``: ``auto`` uses the prompt, ``none`` the text alone, and ``ensemble`` all prompts
        of the model's ensemble.
    """
    text = " ".join(text.split())
    if prompting == "none" or not is_short(text):
        return (text,)
    name = _ARTICLE.sub("", text)
    prompts = settings.ensemble if prompting == "ensemble" and settings.ensemble else (settings.prompt,)
    return tuple(prompt.replace("{}", name) for prompt in prompts)


class TextPreparation:
    """Tokenises texts for one model.

    Parameters
    ----------
    path
        The ``tokenizer.json`` of the model.
    settings
        The text settings of the model.
    """

    def __init__(self, path: Path, settings: TextSettings) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except BaseException as error:
            # The library raises a bare Exception for a file that it cannot read, or panics.
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise ModelCorrupt(f"{path} is not a tokenizer: {error}.") from error
        self._path = path
        self._unknown: frozenset[int] | None = None
        # Truncation keeps the tokens of the template, for example the end token.
        self._tokenizer.enable_truncation(settings.length)
        if settings.pad_id is None:
            self._tokenizer.no_padding()
        else:
            token = self._tokenizer.id_to_token(settings.pad_id) or ""
            self._tokenizer.enable_padding(length=settings.length, pad_id=settings.pad_id, pad_token=token)

    def __call__(self, text: str) -> Tokens:
        """Tokenise ``text``, cut to the length of the tower."""
        encoding = self._encode(_valid(text))
        truncated = bool(encoding.overflowing) or len(text) > _LONGEST_TEXT
        ids = np.array([encoding.ids], np.int64)
        # The mask includes the padding: towers that look at it were trained so, and the others ignore it.
        return Tokens(ids, np.ones_like(ids), truncated)

    def unread(self, text: str, languages: Sequence[str]) -> Unread:
        """Return what a model of these languages does not read of ``text``, as far as it is not cut off."""
        valid = _valid(text)
        encoding = self._encode(valid)
        if self._unknown is None:
            self._unknown = unknown_ids(self._tokenizer)
        return unread(valid, encoding, self._unknown, languages)

    def _encode(self, valid: str) -> Encoding:
        try:
            return self._tokenizer.encode(valid)
        except BaseException as error:
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise ModelCorrupt(f"the tokenizer {self._path} cannot take {valid[:40]!r}: {error}.") from error


def _valid(text: str) -> str:
    """Return the part of a text that the tokenizer is given.

    Bytes of a command line that are not UTF-8 arrive as lone surrogates, which the tokenizer refuses.
    """
    return text[:_LONGEST_TEXT].encode(errors="replace").decode()
