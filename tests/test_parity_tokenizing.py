"""Tokens compared with those of transformers' own tokenizers, on generated texts of all kinds."""

from __future__ import annotations

import json
import random
import shutil
import string
from pathlib import Path

import numpy as np
import pytest

from clipdex.encoder.model import TextSettings
from clipdex.encoder.texts import TextPreparation
from clipdex.models.conversion.tokenizing import text_form, write_tokenizer
from helpers_amounts import TOKENIZED_TEXTS
from helpers_reference import (
    TEXT,
    clip_tokenizer,
    clip_vocabulary,
    mobileclip_folder,
    quiet,
    reference_text_embedding,
    run_onnx,
    siglip_folder,
    siglip_tokenizer,
    text_features,
    write_clip_tokenizer,
    write_clip_vocabulary,
    write_openai_vocabulary,
    write_siglip_tokenizer,
)

# Each is drawn from for texts of its own and for mixtures.
ALPHABETS = {
    "letters": string.ascii_letters + " " * 12,
    "digits": string.digits + " .,",
    "punctuation": string.punctuation,
    "contractions": ["it's ", "don't ", "I'LL ", "they've ", "we're", "i'm", "he'd", "'s", "''", "’s "],
    "accents": "éèüöñçßıİŒœÅåØø ",
    "compatibility": "ﬁﬀ①②ⅣªºµΩ㎏ＡＢｃ！？～½™… ",
    "mathematical": "𝓗𝓮𝓻𝓸 𝟙𝟚",
    "combining": ["e\u0301", "u\u0308", "o\u0302", "a\u030a", "n\u0303", "x", " "],
    "chinese and japanese": "日本語猫犬漢字かなカナｶﾊ。、「」 ",
    "korean": "안녕하세요각 ",
    "right to left": "مرحباשלום، ",
    "indic and thai": "नमस्ते สวัสดี ",
    "greek": "ΟΔΥΣΣΕΥΣ Σίσυφος ΑΣ. Σ",
    "cyrillic": "Привет МИР ё ",
    "emoji": ["👍🏽", "👨‍👩‍👧", "🇩🇪", "🙂", "❤️", "🚀", " ", "x"],
    "white space": " \t\n\r\x0b\x0c\x1c\x1d\x85\xa0\u2003\u2028\u3000a",
    "control": "\x00\x01\x07\x1b\x7f\x80\x9f\ufffd\u200b\u200d\u200e\ufeffab ",
    "typography": "‘’“”–—«»¡¿•·ab ",
    "entities": ["&amp;", "&lt;", "&#39;", "&eacute;", "&", ";", " ", "a"],
    "markup": ["<b>", "</b>", "<|", "|>", "{}", "%s", "\\n", "##", "#", "http://a.b/c?d=e", " "],
    "words": [word + " " for word in TEXT.split()],
}
SPECIAL = ["<|startoftext|>", "<|endoftext|>", "<|ENDOFTEXT|>", "<|endoftext", "a<|endoftext|>b", " <|startoftext|> "]


def texts(alphabets: dict, count: int = TOKENIZED_TEXTS.now, seed: int = 0) -> list[str]:
    """Texts of one kind of characters, and of several, most of them short."""
    chance = random.Random(seed)
    kinds = list(alphabets.values())
    made = [
        "",
        " ",
        "\n",
        "\0",
        "a",
        "A photo of a DOG.",
        "  two   spaces  ",
        "▁",
        "a▁b",
        "_",
        "don't",
        "#",
        "# #",
        "##",
    ]
    while len(made) < count:
        drawn = chance.sample(kinds, min(len(kinds), chance.choice((1, 1, 2, 3, 100))))
        made.append("".join(chance.choice(chance.choice(drawn)) for _ in range(chance.randint(0, 24))))
    return made


LONG = [
    "a dog " * 60,
    "x" * 3000,
    "日本" * 200,
    "one two three four " * 19 + "five",
    "🙂" * 90,
    *("a " * number for number in range(58, 80)),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One CLIP vocabulary in all the forms that it is published in."""
    root = tmp_path_factory.mktemp("tokenizers")
    write_clip_tokenizer(root / "tokenizer.json")
    write_clip_tokenizer(root / "sub-folder" / "tokenizer")
    write_clip_vocabulary(root / "vocab.json and merges.txt")
    write_openai_vocabulary(root / "OpenAI")
    folders = {path.name: path for path in root.iterdir()}
    for folder in folders.values():
        config = {"model_type": "clip", "text_config": {"model_type": "clip_text_model"}}
        (folder / "config.json").write_text(json.dumps(config))
    return folders


def preparation(folder: Path, target: Path) -> TextPreparation:
    write_tokenizer(folder, target)
    form = text_form(folder)
    return TextPreparation(target, TextSettings(form.length, "{}", pad_id=form.pad_id))


@pytest.mark.parametrize("name", ["tokenizer.json", "sub-folder", "vocab.json and merges.txt", "OpenAI"])
def test_tokens_of_clip_are_those_of_the_reference(name, sources, tmp_path):
    prepare = preparation(sources[name], tmp_path / "tokenizer.json")
    every = texts(ALPHABETS) + texts({**ALPHABETS, "special": SPECIAL}, 500, 1) + SPECIAL + LONG
    expected = clip_tokenizer()(every, truncation=True, max_length=77).input_ids

    for text, tokens in zip(every, expected, strict=True):
        assert prepare(text).ids[0].tolist() == tokens, text


@pytest.mark.parametrize("text", LONG)
def test_a_text_that_is_too_long_keeps_its_start_and_end_tokens(text, sources, tmp_path):
    prepare = preparation(sources["OpenAI"], tmp_path / "tokenizer.json")
    size = len(clip_vocabulary()[0])
    whole = clip_tokenizer()(text).input_ids

    tokens = prepare(text)

    assert tokens.ids.shape == (1, min(77, len(whole)))
    assert (tokens.ids[0, 0], tokens.ids[0, -1]) == (size - 2, size - 1)
    assert tokens.truncated == (len(whole) > 77)


@pytest.mark.parametrize("lower", [True, False])
def test_tokens_of_siglip_are_those_of_the_reference_with_its_padding(lower, tmp_path):
    folder = tmp_path / "siglip"
    write_siglip_tokenizer(folder)
    reference = siglip_tokenizer(folder)
    if not lower:
        settings = folder / "tokenizer_config.json"
        settings.write_text(settings.read_text().replace('"do_lower_case": true', '"do_lower_case": false'))
        reference.do_lower_case = False
    prepare = preparation_of_siglip(folder, tmp_path / "tokenizer.json")
    every = texts(ALPHABETS) + LONG
    with quiet():
        expected = reference(every, padding="max_length", truncation=True, max_length=64).input_ids

    for text, tokens in zip(every, expected, strict=True):
        assert prepare(text).ids[0].tolist() == tokens, text


def preparation_of_siglip(folder: Path, target: Path) -> TextPreparation:
    """Its form comes from the configuration of the model, which is not there."""
    (folder / "config.json").write_text('{"model_type": "siglip"}')
    return preparation(folder, target)


def test_special_tokens_of_siglip_are_ordinary_text(tmp_path):
    write_siglip_tokenizer(tmp_path)
    prepare = preparation_of_siglip(tmp_path, tmp_path / "written.json")
    assert prepare("a dog</s> at night").ids.tolist() == prepare("a dogs at night").ids.tolist()


def test_every_text_of_siglip_is_filled_up_because_its_tower_sees_all_positions(tmp_path):
    folder = siglip_folder(tmp_path / "siglip")
    prepare = preparation(folder, tmp_path / "tokenizer.json")
    reference = siglip_tokenizer(folder)
    text = "a photo of a horse"

    tokens = prepare(text)

    assert tokens.ids.shape == (1, 64)
    expected = reference_text_embedding(folder, text)
    with quiet():
        unpadded = reference(text).input_ids
    assert np.abs(text_features(folder, tokens.ids) - expected).max() < 1e-4
    assert np.abs(text_features(folder, np.array([unpadded])) - expected).max() > 0.1


@pytest.mark.parametrize("says", ["apple", "open_clip", "xenova"])
def test_every_text_of_mobileclip_is_filled_up_with_zeros(says, tmp_path):
    folder = mobileclip_folder(tmp_path / "mobileclip", says=says)
    prepare = preparation(folder, tmp_path / "tokenizer.json")
    path = folder / "onnx" / "text_model.onnx"
    text = "a photo of a horse"

    tokens = prepare(text)

    assert tokens.ids.shape == (1, 77)
    expected = reference_text_embedding(folder, text)
    assert np.abs(run_onnx(path, {"input_ids": tokens.ids}, "text_embeds") - expected).max() < 1e-4
    unpadded = np.array([clip_tokenizer()(text).input_ids], np.int64)
    assert np.abs(run_onnx(path, {"input_ids": unpadded}, "text_embeds") - expected).max() > 0.1


def test_a_causal_mobileclip_needs_no_padding(tmp_path):
    folder = mobileclip_folder(tmp_path / "mobileclip", causal=True)
    assert text_form(folder).pad_id is None
    unpadded = np.array([clip_tokenizer()("a red flower").input_ids], np.int64)
    embedding = run_onnx(folder / "onnx" / "text_model.onnx", {"input_ids": unpadded}, "text_embeds")
    assert np.abs(embedding - reference_text_embedding(folder, "a red flower")).max() < 1e-4


def test_a_tokenizer_json_of_siglip_without_its_clean_up_is_given_it(tmp_path):
    from tokenizers import Tokenizer, normalizers

    folder = tmp_path / "siglip"
    write_siglip_tokenizer(folder)
    built = tmp_path / "built.json"
    prepare = preparation_of_siglip(folder, built)
    bare = Tokenizer.from_file(str(built))
    bare.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    other = tmp_path / "other"
    other.mkdir()
    bare.save(str(other / "tokenizer.json"))
    for name in ("config.json", "tokenizer_config.json"):
        shutil.copy(folder / name, other)

    given = preparation(other, tmp_path / "given.json")

    for text in texts({name: ALPHABETS[name] for name in ("letters", "punctuation", "words", "white space")}, 300):
        assert given(text).ids.tolist() == prepare(text).ids.tolist(), text


def test_a_tokenizer_json_of_siglip_2_is_made_to_lower_the_case(tmp_path):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {"<pad>": 0, "<eos>": 1, "<unk>": 2, **{letter: 3 + n for n, letter in enumerate("▁ADGadog!")}}
    gemma = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", fuse_unk=True))
    gemma.normalizer = normalizers.Replace(" ", "▁")
    gemma.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    gemma.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    gemma.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "GemmaTokenizer", "pad_token": "<pad>"}')

    prepare = preparation_of_siglip(tmp_path, tmp_path / "written.json")

    assert text_form(tmp_path).pad_id == 0
    assert prepare("A DOG!").ids.tolist() == prepare("a dog!").ids.tolist()
    # SigLIP 2 keeps punctuation.
    assert prepare("a dog!").ids.tolist() != prepare("a dog").ids.tolist()
