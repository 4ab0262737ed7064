"""From a text query to the tokens that a text tower takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from clipdex.encoder.model import TextSettings
from clipdex.encoder.panics import is_panic
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
    """Tell whether a query is a few words, which a prompt helps, and not a sentence, which it would spoil."""
    return len(text.split()) <= _SHORT_QUERY_WORDS and not any(mark in text for mark in _SENTENCE_MARKS)


def prompted(text: str, settings: TextSettings, prompting: str = "auto") -> tuple[str, ...]:
    """Return what is to be encoded for a query; several texts are to be averaged.

    A short query is put into the model's prompt; a longer text, or one with punctuation, is left as it is. An article
    at the start is dropped, because the prompt has its own: "a dog" becomes "a photo of a dog".

    Parameters
    ----------
    text
        The query.
    settings
        Text settings of the model.
    prompting
        One of ``defaults.PROMPTINGS``: the prompt (``auto``), the text as it is (``none``), or all prompts of the
        model's ensemble (``ensemble``).
    """
    text = " ".join(text.split())
    if prompting == "none" or not is_short(text):
        return (text,)
    name = _ARTICLE.sub("", text)
    prompts = settings.ensemble if prompting == "ensemble" and settings.ensemble else (settings.prompt,)
    return tuple(prompt.replace("{}", name) for prompt in prompts)


class TextPreparation:
    """Tokenises texts as one model wants it.

    Parameters
    ----------
    path
        Its ``tokenizer.json``.
    settings
        Its text settings.
    """

    def __init__(self, path: Path, settings: TextSettings) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except BaseException as error:
            # The library raises bare Exception for anything it cannot read, or panics.
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise ModelCorrupt(f"{path} is not a tokenizer: {error}.") from error
        self._path = path
        # The tokens of its template, such as the one that ends a text, are kept when a text is cut.
        self._tokenizer.enable_truncation(settings.length)
        if settings.pad_id is None:
            self._tokenizer.no_padding()
        else:
            token = self._tokenizer.id_to_token(settings.pad_id) or ""
            self._tokenizer.enable_padding(length=settings.length, pad_id=settings.pad_id, pad_token=token)

    def __call__(self, text: str) -> Tokens:
        """Tokenise ``text``, cut to the length that the tower takes."""
        # Bytes of a command line that are no UTF-8 come as lone surrogates, which the tokenizer refuses.
        known = text[:_LONGEST_TEXT].encode(errors="replace").decode()
        try:
            encoding = self._tokenizer.encode(known)
        except BaseException as error:
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise ModelCorrupt(f"the tokenizer {self._path} cannot take {known[:40]!r}: {error}.") from error
        truncated = bool(encoding.overflowing) or len(text) > _LONGEST_TEXT
        ids = np.array([encoding.ids], np.int64)
        # What fills a text up counts like the rest: towers that look at it were trained so, and others do not care.
        return Tokens(ids, np.ones_like(ids), truncated)
