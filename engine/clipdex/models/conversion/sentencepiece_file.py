"""Reading a SentencePiece vocabulary without the library: the used fields of ``sentencepiece_model.proto``.

The file is a Protocol Buffers message: a sequence of fields, each with a number and a type, of which some are messages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipdex.errors import ModelCorrupt, ModelUnsupported

_UNIGRAM = 1
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3
_MAX_PIECES = 1 << 20


@dataclass(frozen=True, slots=True)
class SentencePieces:
    """A vocabulary of a unigram model.

    Attributes
    ----------
    scores
        The pieces with their log probabilities. The position of a piece is its token.
    unknown, end
        The tokens for unknown characters and for the end of a text.
    character_map
        The normalisation of characters, as SentencePiece compiled it; empty where there is none.
    """

    scores: list[tuple[str, float]]
    unknown: int
    end: int
    character_map: bytes


def sentence_pieces(data: bytes, path: Path) -> SentencePieces:
    """Read a ``spiece.model``.

    Raises
    ------
    ModelCorrupt
        When the file is damaged.
    ModelUnsupported
        When the vocabulary is of another type than SigLIP's.
    """
    try:
        return _read(data, path)
    except (ValueError, LookupError, struct.error) as error:
        raise ModelCorrupt(f"{path} is not a SentencePiece vocabulary: {error}.") from error


def _read(data: bytes, path: Path) -> SentencePieces:
    scores: list[tuple[str, float]] = []
    kinds: list[int] = []
    model, character_map = _UNIGRAM, b""
    for number, value in _fields(data):
        if number == 1:
            piece = dict(_fields(_message(value)))
            scores.append(
                (_message(piece[1]).decode("utf-8"), struct.unpack("<f", _message(piece.get(2, bytes(4))))[0])
            )
            kinds.append(_number(piece.get(3, _NORMAL)))
        elif number == 2:
            model = _number(dict(_fields(_message(value))).get(3, _UNIGRAM))
        elif number == 3:
            character_map = _message(dict(_fields(_message(value))).get(2, b""))
        if len(scores) > _MAX_PIECES:
            raise ValueError(f"it has more than {_MAX_PIECES:,} pieces")
    if model != _UNIGRAM or not set(kinds) <= {_NORMAL, _UNKNOWN, _CONTROL}:
        raise ModelUnsupported(f"{path} is not a plain unigram vocabulary like SigLIP's.")
    names = [piece for piece, _ in scores]
    if kinds.count(_UNKNOWN) != 1 or "</s>" not in names:
        raise ValueError("it lacks the unknown token or the end token")
    return SentencePieces(scores, kinds.index(_UNKNOWN), names.index("</s>"), character_map)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field of a message. Fixed-size values stay bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        if key & 7 == 0:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        if key & 7 == 2:
            size, position = _varint(data, position)
        else:
            size = {1: 8, 5: 4}.get(key & 7, len(data) + 1)
        if size > len(data) - position:
            raise ValueError(f"a field at byte {position} is cut off or of no known kind")
        yield key >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError(f"a number at byte {position} is too long")


def _message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number is where bytes should be")
    return value


def _number(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes are where a number should be")
    return value
