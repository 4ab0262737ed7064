"""Sentences on texts that a model does not read as they were asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipdex.encoder.languages import languages_said
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.paths import expanded, is_file
from clipdex.wording import counted

if TYPE_CHECKING:
    from clipdex.encoder.encoder import EncodedText
    from clipdex.encoder.model import Model

_MOST_NAMED = 5
_MOST_CHARACTERS = 40
_MEANINGLESS = "its hits may mean nothing"


def warnings_of(text: str, encoded: EncodedText, model: Model) -> tuple[str, ...]:
    """Return sentences on what ``model`` did not take of a text."""
    sentences = []
    words, whole = encoded.unread.words, encoded.unread.whole
    languages = languages_said(model.languages)
    if words and whole:
        reads = f"reads {languages}, and" if languages else "reads"
        sentences.append(f"The model {model.name} {reads} no word of the text {_quoted(text)}: {_MEANINGLESS}.")
    elif words:
        not_read = f"reads {languages}, and not" if languages else "does not read"
        named = ", ".join(map(_quoted, words[:_MOST_NAMED]))
        more = f" and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
        sentences.append(f"The model {model.name} {not_read} {named}{more} in the text {_quoted(text)}.")
    elif whole:
        sentences.append(f"The text {_quoted(text)} has no words: {_MEANINGLESS}.")
    if encoded.truncated:
        start = text[:_MOST_CHARACTERS]
        sentences.append(f"Only the beginning of this text was used, it is too long: {start}...")
    return tuple(sentences)


def warnings_of_paths(texts: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence on texts that are paths of images, which were searched for as texts."""
    paths = [text for text in texts if suffix_of(text) in IMAGE_SUFFIXES and is_file(expanded(text))]
    if not paths:
        return ()
    more = f", as {counted(len(paths) - 1, 'other text')}" if len(paths) > 1 else ""
    return (
        f"The text {_quoted(paths[0])} is the path of an image{more}, and was searched for as a text: to search with "
        "the image, give it to --image, or as a Path in Python.",
    )


def _quoted(text: str) -> str:
    """Write a text in quotes; a long one is cut off. Emoji and other scripts stay readable."""
    return f"'{text}'" if len(text) <= _MOST_CHARACTERS else f"'{text[:_MOST_CHARACTERS]}...'"
