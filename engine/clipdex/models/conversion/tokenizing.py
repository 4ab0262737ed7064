"""Converting the tokenizer of a published model to one ``tokenizer.json``, and reading how its text tower takes tokens.

The tokens must be those of the training. Steps that a published ``tokenizer.json`` lacks are added. A missing one is
built from the older forms: ``vocab.json`` and ``merges.txt``, OpenAI's ``bpe_simple_vocab_16e6.txt.gz``, and SigLIP's
``spiece.model``.
"""

from __future__ import annotations

import contextlib
import re
import string
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from clipdex.encoder.panics import is_panic
from clipdex.errors import ModelCorrupt, ModelUnsupported
from clipdex.models.conversion.reading import part, read_file, read_settings
from clipdex.models.conversion.sentencepiece_file import SentencePieces, sentence_pieces
from clipdex.wording import with_article

_MAX_FILE = 64 << 20
_MAX_PACKED = 16 << 20
_MAX_LENGTH = 8192
_START, _END = "<|startoftext|>", "<|endoftext|>"
_OPENAI_FILES = ("bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt")
# OpenAI's vocabulary has 49,408 entries; its file lists more merges than the vocabulary uses.
_OPENAI_MERGES = 49152 - 256 - 2
# The padding of OpenAI's code, and of all code that follows it.
_ZERO = 0
_SPACE = "\u2581"
# Sample texts that show what a tokenizer does, and that it does not fail.
_PROBES = (
    "",
    "a photo of a dog",
    "It\u2019s 2 na\u00efve cafe\u0301s \u2013 \u65e5\u672c\u8a9e, \U0001f469\U0001f3fd\u200d\U0001f680!\n",
)


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a text tower takes tokens.

    Attributes
    ----------
    length
        The most tokens of a text.
    pad_id
        The token that pads every text to ``length``, for a tower that attends to all positions; None where the tower
        ignores everything after the end of the text.
    """

    length: int
    pad_id: int | None


@dataclass(frozen=True, slots=True)
class _Tower:
    """The text tower in the configuration of a model."""

    length: object
    siglip: bool = False
    pads: bool = False
    pad_id: object = None


def write_tokenizer(folder: Path, target: Path) -> None:
    """Write the tokenizer of the model in ``folder`` to ``target``, in the format of ``tokenizers``.

    Parameters
    ----------
    folder
        An untrusted folder as downloaded from a model hub. The files may be in its folder ``tokenizer``.
    target
        The ``tokenizer.json`` to write.

    Raises
    ------
    ModelCorrupt
        When a file of the tokenizer cannot be used.
    ModelUnsupported
        When there is no tokenizer, or an unknown one.
    OSError
        When ``target`` cannot be written.
    """
    target.write_text(_tokenizer(folder).to_str(), encoding="utf-8")


def text_form(folder: Path) -> TextForm:
    """Find out how the text tower of the model in ``folder`` takes tokens.

    The text tower of CLIP is causal and reads its result at the end token, so it needs no padding. Those of SigLIP and
    MobileCLIP attend to all positions and were trained on padded texts without an attention mask. Where the
    configuration does not describe the text tower, as for some of MobileCLIP, texts are padded, which CLIP ignores.

    Raises
    ------
    ModelCorrupt
        When the configuration or the tokenizer cannot be used.
    ModelUnsupported
        When the text tower is of another type, or there is no tokenizer.
    """
    tower = _tower(folder)
    length = _whole(tower.length, 4, _MAX_LENGTH, "the length of texts", folder)
    if not tower.pads:
        return TextForm(length, None)
    if not tower.siglip:
        return TextForm(length, _ZERO)
    tokenizer = _tokenizer(folder)
    pad_id = tokenizer.token_to_id(_pad_token(folder) or "")
    pad_id = tower.pad_id if pad_id is None else pad_id
    return TextForm(length, _whole(pad_id, 0, tokenizer.get_vocab_size() - 1, "the padding token", folder))


def _tower(folder: Path) -> _Tower:
    path = folder / "config.json"
    config = read_settings(path) or {}
    kind = config.get("model_type")
    text = part(config, "text_config", path)
    if isinstance(kind, str) and kind.startswith("siglip"):
        # The defaults of transformers, which published configurations omit.
        return _Tower(_given(text, "max_position_embeddings", 64), True, True, _given(text, "pad_token_id", 1))
    if "text_cfg" in config:
        return _open_clip_tower(part(config, "text_cfg", path), path)
    if text or "max_position_embeddings" in config:
        return _Tower(_given(text, "max_position_embeddings", _given(config, "max_position_embeddings", 77)))
    path = folder / "open_clip_config.json"
    if (settings := read_settings(path)) is not None:
        return _open_clip_tower(part(part(settings, "model_cfg", path), "text_cfg", path), path)
    return _Tower(77, pads=True)


def _open_clip_tower(text: dict[str, Any], path: Path) -> _Tower:
    """Read ``text_cfg`` of OpenCLIP, or of Apple's MobileCLIP. Both pad texts with zeros, except for SigLIP."""
    if text.get("hf_model_name") is not None:
        raise ModelUnsupported(
            f"{path}: the text tower is {with_article(repr(text['hf_model_name']))[:80]}, and not CLIP's or SigLIP's."
        )
    length = _given(text, "context_length", 77)
    if text.get("no_causal_mask") is not True and text.get("causal_masking") is not False:
        return _Tower(length)
    siglip = text.get("pool_type") == "last"
    return _Tower(length, siglip, True, 1)


def _given(settings: dict[str, Any], name: str, default: object) -> object:
    value = settings.get(name)
    return default if value is None else value


def _whole(value: object, low: int, high: int, what: str, folder: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ModelCorrupt(f"{folder}: {what} is {value!r:.80}, and not a whole number from {low} to {high}.")
    return value


def _places(folder: Path) -> tuple[Path, Path]:
    return folder, folder / "tokenizer"


def _pad_token(folder: Path) -> str | None:
    for place in _places(folder):
        for name in ("tokenizer_config.json", "special_tokens_map.json"):
            token = (read_settings(place / name, _MAX_FILE) or {}).get("pad_token")
            token = token.get("content") if isinstance(token, dict) else token
            if isinstance(token, str):
                return token
    return None


def _tokenizer(folder: Path) -> Tokenizer:
    siglip = _tower(folder).siglip
    for place in _places(folder):
        with _failures(place):
            tokenizer = _tokenizer_in(place, siglip)
            if tokenizer is None:
                continue
            if not all(tokenizer.encode(text).ids for text in _PROBES):
                raise ModelUnsupported(f"the tokenizer in {place} does not mark the end of a text.")
            return tokenizer
    raise ModelUnsupported(
        f"{folder} has no tokenizer: neither tokenizer.json, nor vocab.json with merges.txt, nor {_OPENAI_FILES[0]}, "
        "nor spiece.model, there or in its folder tokenizer. Get them from where the model was published."
    )


def _tokenizer_in(place: Path, siglip: bool) -> Tokenizer | None:
    """Load or build the tokenizer whose files are in ``place``; as in transformers, SigLIP's ``spiece.model`` first."""
    settings = read_settings(place / "tokenizer_config.json", _MAX_FILE) or {}
    lower = settings.get("do_lower_case") is not False
    if siglip and (data := read_file(place / "spiece.model", _MAX_FILE)) is not None:
        return _from_pieces(sentence_pieces(data, place / "spiece.model"), lower)
    if (data := read_file(place / "tokenizer.json", _MAX_FILE)) is not None:
        tokenizer = Tokenizer.from_str(data.decode("utf-8"))
        return _as_siglip(tokenizer, lower) if siglip else tokenizer
    vocabulary = read_settings(place / "vocab.json", _MAX_FILE)
    merges = read_file(place / "merges.txt", _MAX_FILE)
    if vocabulary is not None and merges is not None:
        lines = merges.decode("utf-8").split("\n")
        return _clip(vocabulary, [line for line in lines if line.strip() and not line.startswith("#version")])
    for name in _OPENAI_FILES:
        if (data := read_file(place / name, _MAX_PACKED)) is not None:
            text = (_unpacked(data, place / name) if name.endswith(".gz") else data).decode("utf-8")
            return _openai(text.split("\n")[1 : _OPENAI_MERGES + 1])
    return None


@contextlib.contextmanager
def _failures(place: Path) -> Iterator[None]:
    """Turn the errors of the library for unusable data, bare exceptions and panics, into ``ModelCorrupt``."""
    try:
        yield
    except (ModelCorrupt, ModelUnsupported):
        raise
    except Exception as error:
        raise ModelCorrupt(f"the tokenizer in {place} cannot be used: {error or type(error).__name__}.") from error
    except BaseException as error:
        if not is_panic(error):
            raise
        raise ModelCorrupt(f"the tokenizer in {place} cannot be used: {error}.") from error


def _clip(vocabulary: dict[str, Any], lines: list[str]) -> Tokenizer:
    """Build CLIP's byte-level BPE (Radford et al. 2021), as its ``tokenizer.json`` describes it."""
    if not {_START, _END} <= set(vocabulary):
        raise ModelUnsupported(f"the vocabulary is not CLIP's: it has no {_START} and {_END}.")
    merges = [tuple(line.split()) for line in lines]
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
            unk_token=_END,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    special = "|".join(re.escape(token) for token in (_START, _END))
    words = Regex(special + r"|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        (_END, vocabulary[_END]), (_START, vocabulary[_START]), trim_offsets=False, add_prefix_space=False
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in (_START, _END)])
    return tokenizer


def _openai(lines: list[str]) -> Tokenizer:
    """Build CLIP's BPE from OpenAI's merges: the bytes, the bytes at the end of a word, the merges, start and end."""
    # Printable bytes stand for themselves and come first; the other bytes become characters from 256.
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("\u00a1"), ord("\u00ac") + 1)]
    printable += range(ord("\u00ae"), ord("\u00ff") + 1)
    bytes_ = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(256 - len(printable))]
    lines = [line for line in lines if line.strip()]
    entries = [*bytes_, *(byte + "</w>" for byte in bytes_), *("".join(line.split()) for line in lines), _START, _END]
    return _clip({entry: number for number, entry in enumerate(entries)}, lines)


def _unpacked(data: bytes, path: Path) -> bytes:
    try:
        unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        text = unpacking.decompress(data, _MAX_FILE)
    except zlib.error as error:
        raise ModelCorrupt(f"{path} cannot be unpacked: {error}.") from error
    if not unpacking.eof:
        raise ModelCorrupt(f"{path} is cut off, or holds more than {_MAX_FILE:,} bytes.")
    return text


def _from_pieces(pieces: SentencePieces, lower: bool) -> Tokenizer:
    """Build the tokenizer of transformers' ``SiglipTokenizer``: SigLIP's clean-up, SentencePiece's, then unigrams.

    Unlike there, the names of special tokens within a text have no special meaning.
    """
    tokenizer = Tokenizer(models.Unigram(pieces.scores, unk_id=pieces.unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [
            *_clean_up(lower),
            # The map contains sequences of letters and marks; the library finds only the shortest of them.
            *([normalizers.NFKC(), normalizers.Precompiled(pieces.character_map)] if pieces.character_map else []),
            normalizers.Replace(Regex(" {2,}"), " "),
            normalizers.Replace(Regex("^ | $"), ""),
            normalizers.Prepend(_SPACE),
            normalizers.Replace(" ", _SPACE),
        ]
    )
    tokenizer.decoder = decoders.Metaspace()
    end = pieces.scores[pieces.end][0]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, pieces.end)])
    return tokenizer


def _clean_up(lower: bool) -> list[Any]:
    """Return the normalisers of SigLIP's ``canonicalize_text``: lower case, no punctuation, single spaces."""
    steps = [_final_sigma(), normalizers.Lowercase()] if lower else []
    punctuation = "[" + "".join("\\" + mark for mark in string.punctuation) + "]"
    # Python counts four separators as white space that Unicode does not.
    spaces = r"[\s\x1c-\x1f]+"
    return [
        normalizers.Replace(_SPACE, " "),
        *steps,
        normalizers.Replace(Regex(punctuation), ""),
        normalizers.Replace(Regex(spaces), " "),
    ]


def _final_sigma() -> Any:  # noqa: ANN401
    """Return a normaliser for sigma, whose lower case depends on its neighbours (Unicode 3.13, Final_Sigma)."""
    cased = r"[\p{Lu}\p{Ll}\p{Lt}\u00aa\u00ba\u2160-\u217f\u24b6-\u24e9]"
    passed_over = r"[\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}'.:\u00b7\u2018\u2019]"
    # A look-behind has a bounded number of characters.
    before = "|".join(cased + passed_over * count for count in range(4))
    return normalizers.Replace(Regex(f"(?<={before})\u03a3(?!{passed_over}*{cased})"), "\u03c2")


def _as_siglip(tokenizer: Tokenizer, lower: bool) -> Tokenizer:
    """Add the preparation of texts that SigLIP was trained with to a tokenizer, where it is missing.

    SigLIP was trained on texts in lower case without punctuation (Zhai et al. 2023), SigLIP 2 on texts in lower case
    (Tschannen et al. 2025), which its published tokenizer leaves to the caller. SigLIP uses unigrams, SigLIP 2 the BPE
    of Gemma.
    """

    def same(first: str, second: str) -> bool:
        return bool(tokenizer.encode(first).ids == tokenizer.encode(second).ids)

    kind = type(tokenizer.model).__name__
    steps: list[Any] = []
    if kind == "Unigram" and not same("dog, cat", "dog cat"):
        steps = [*_clean_up(lower), normalizers.Strip()]
    elif kind in ("Unigram", "BPE") and lower and not same("A Dog", "a dog"):
        steps = [normalizers.Lowercase()]
    if steps:
        before = tokenizer.normalizer
        tokenizer.normalizer = normalizers.Sequence(steps if before is None else [*steps, before])
    return tokenizer
