"""From a text query to the tokens that a text tower takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from clipdex.encoder.model import TextSettings
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


def prompted(text: str, prompt: str) -> str:
    """Put a short query into the model's prompt; leave a longer text, or one with punctuation, as it is.

    An article at the start is dropped, because the prompt has its own: "a dog" becomes "a photo of a dog".
    """
    text = " ".join(text.split())
    if len(text.split(" ")) > _SHORT_QUERY_WORDS or any(mark in text for mark in _SENTENCE_MARKS):
        return text
    return prompt.replace("{}", _ARTICLE.sub("", text))


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
        except Exception as error:
            # The library raises bare Exception for anything it cannot read.
            raise ModelCorrupt(f"{path} is not a tokenizer: {error}.") from error
        self._tokenizer.enable_truncation(settings.length)
        self._tokenizer.no_padding()

    def __call__(self, text: str) -> Tokens:
        """Tokenise ``text``, cut to the length that the tower takes."""
        # Bytes of a command line that are no UTF-8 come as lone surrogates, which the tokenizer refuses.
        known = text[:_LONGEST_TEXT].encode(errors="replace").decode()
        encoding = self._tokenizer.encode(known)
        truncated = bool(encoding.overflowing) or len(text) > _LONGEST_TEXT
        return Tokens(np.array([encoding.ids], np.int64), np.array([encoding.attention_mask], np.int64), truncated)
