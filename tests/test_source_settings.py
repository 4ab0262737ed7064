"""Reading what published folders say of images and texts, in all forms, and refusing what cannot be used."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from clipdex.encoder.model import ImageSettings
from clipdex.errors import ModelCorrupt, ModelUnsupported
from clipdex.models.conversion.preprocessing import OPENAI_MEAN, OPENAI_STD, image_settings
from clipdex.models.conversion.sentencepiece_file import sentence_pieces
from clipdex.models.conversion.tokenizing import TextForm, text_form, write_tokenizer

HALF, ZERO, ONE, WHITE = (0.5, 0.5, 0.5), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (255, 255, 255)
CLIP = ImageSettings(224, "short-side", 224, "bicubic", OPENAI_MEAN, OPENAI_STD, WHITE)
SIGLIP = ImageSettings(224, "squash", 224, "bicubic", HALF, HALF, WHITE)
CLIP_TYPE = {"image_processor_type": "CLIPImageProcessor"}
SIGLIP_TYPE = {"image_processor_type": "SiglipImageProcessor"}


def processor(folder: Path, settings: object, name: str = "preprocessor_config.json") -> Path:
    (folder / name).write_text(json.dumps(settings), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (CLIP_TYPE, CLIP),
        ({}, CLIP),
        ({"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "resample": 3}, CLIP),
        ({"image_processor_type": "CLIPImageProcessorFast", "do_resize": None, "size": None}, CLIP),
        ({**CLIP_TYPE, "size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}, CLIP),
        ({**CLIP_TYPE, "size": {"shortest_edge": 224, "longest_edge": None}, "crop_size": [224, 224]}, CLIP),
        ({**CLIP_TYPE, "size": {"height": 224, "width": 224}, "do_center_crop": False, "image_mean": 0.5,
          "image_std": 0.5}, SIGLIP),
        ({**CLIP_TYPE, "size": {"height": 224, "width": 224}, "image_mean": HALF, "image_std": HALF}, SIGLIP),
        (SIGLIP_TYPE, SIGLIP),
        ({"image_processor_type": "SiglipImageProcessorFast", "size": 224, "do_convert_rgb": None}, SIGLIP),
        ({"image_processor_type": "ViTFeatureExtractor", "size": 224},
         ImageSettings(224, "squash", 224, "bilinear", HALF, HALF, WHITE)),
        ({**CLIP_TYPE, "size": 256, "crop_size": 240, "resample": 2},
         ImageSettings(240, "short-side", 256, "bilinear", OPENAI_MEAN, OPENAI_STD, WHITE)),
        ({**CLIP_TYPE, "resample": 1, "do_normalize": False},
         ImageSettings(224, "short-side", 224, "lanczos", ZERO, ONE, WHITE)),
        ({**SIGLIP_TYPE, "resample": 0}, ImageSettings(224, "squash", 224, "nearest", HALF, HALF, WHITE)),
    ],
)  # fmt: skip
def test_settings_of_image_processors_are_read_with_the_defaults_of_their_class(tmp_path, settings, expected):
    assert image_settings(processor(tmp_path, settings)) == expected


def test_pixels_of_another_range_change_mean_and_deviation(tmp_path):
    settings = {**SIGLIP_TYPE, "image_mean": [127.5] * 3, "image_std": [51.0] * 3, "do_rescale": False}
    found = image_settings(processor(tmp_path, settings))
    assert found.mean == HALF
    assert found.std == pytest.approx((0.2, 0.2, 0.2))
    # From -1 to 1, as some convert: twice the usual factor, and 1 as mean.
    settings = {**SIGLIP_TYPE, "image_mean": ONE, "image_std": ONE, "rescale_factor": 2 / 255}
    assert image_settings(processor(tmp_path, settings)).mean == pytest.approx(HALF)
    settings = {**SIGLIP_TYPE, "rescale_factor": 0.00392156862745098}
    assert image_settings(processor(tmp_path, settings)) == SIGLIP


def test_the_model_says_which_class_is_meant_where_the_settings_do_not(tmp_path):
    processor(tmp_path, {"model_type": "siglip"}, "config.json")
    assert image_settings(processor(tmp_path, {})) == SIGLIP


def test_settings_are_taken_from_the_first_file_that_has_them(tmp_path):
    open_clip = {"model_cfg": {"vision_cfg": {"image_size": 256}}, "preprocess_cfg": {"resize_mode": "squash"}}
    processor(tmp_path, open_clip, "open_clip_config.json")
    assert image_settings(tmp_path) == ImageSettings(256, "squash", 256, "bicubic", OPENAI_MEAN, OPENAI_STD, WHITE)
    processor(tmp_path, {"processor_class": "SiglipProcessor"}, "processor_config.json")
    assert image_settings(tmp_path).size == 256
    processor(tmp_path, {"image_processor": SIGLIP_TYPE}, "processor_config.json")
    assert image_settings(tmp_path) == SIGLIP
    assert image_settings(processor(tmp_path, CLIP_TYPE)) == CLIP


def open_clip(folder: Path, side: object = 224, **preprocess: object) -> ImageSettings:
    settings = {"model_cfg": {"vision_cfg": {"image_size": side}}, "preprocess_cfg": preprocess}
    return image_settings(processor(folder, settings, "open_clip_config.json"))


def test_settings_of_open_clip_are_read_with_its_defaults(tmp_path):
    assert open_clip(tmp_path) == CLIP
    assert open_clip(tmp_path, [224, 224], resize_mode="shortest", interpolation="random") == CLIP
    assert open_clip(tmp_path, 336, size=224, mean=HALF, std=HALF, resize_mode="squash") == SIGLIP
    mobile = open_clip(tmp_path, 256, mean=ZERO, std=ONE, interpolation="bilinear", resize_mode="shortest")
    assert mobile == ImageSettings(256, "short-side", 256, "bilinear", ZERO, ONE, WHITE)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({**CLIP_TYPE, "do_resize": False}, "not scaled"),
        ({**CLIP_TYPE, "do_pad": True}, "padded"),
        ({**CLIP_TYPE, "do_center_crop": False}, "do not become squares"),
        ({**CLIP_TYPE, "crop_size": 256}, "scaled to 224 pixels and padded to 256"),
        ({**SIGLIP_TYPE, "do_center_crop": True, "size": 256}, "squashed and cropped"),
        ({**SIGLIP_TYPE, "size": {"height": 224, "width": 336}}, "not a square"),
        ({**CLIP_TYPE, "crop_size": {"height": 224, "width": 192}}, "not a square"),
        ({**CLIP_TYPE, "size": {"longest_edge": 224}}, "longest_edge"),
        ({**CLIP_TYPE, "size": {"shortest_edge": 224, "longest_edge": 300}}, "longest_edge"),
        ({**CLIP_TYPE, "resample": 4}, "filter 4"),
        ({**CLIP_TYPE, "resample": 5}, "filter 5"),
        ({"image_processor_type": "Siglip2ImageProcessor"}, "Siglip2ImageProcessor"),
        ({"image_processor_type": ["CLIPImageProcessor"]}, "is a"),
    ],
)
def test_what_is_not_done_to_images_here_is_refused(tmp_path, settings, told):
    with pytest.raises(ModelUnsupported, match=told):
        image_settings(processor(tmp_path, settings))


@pytest.mark.parametrize(
    ("name", "value"),
    [("resize_mode", "longest"), ("resize_mode", 7), ("resize_mode", ["shortest"]), ("interpolation", "lanczos")],
)
def test_other_ways_of_open_clip_are_refused(tmp_path, name, value):
    with pytest.raises(ModelUnsupported, match=name):
        open_clip(tmp_path, **{name: value})


def test_a_configuration_of_open_clip_without_a_size_is_refused(tmp_path):
    with pytest.raises(ModelCorrupt, match="image_size"):
        open_clip(tmp_path, None)


ABSURD = [0, -1, 7, 2049, 10**400, True, "224", 224.0, float("nan"), [], [1, 2, 3], {}, {"height": 224}]


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("name", ["size", "crop_size"])
def test_an_absurd_size_is_refused(tmp_path, name, value):
    with pytest.raises((ModelCorrupt, ModelUnsupported), match="size"):
        image_settings(processor(tmp_path, {**CLIP_TYPE, name: value}))
    with pytest.raises((ModelCorrupt, ModelUnsupported), match="size"):
        image_settings(processor(tmp_path, {**CLIP_TYPE, name: {"shortest_edge": value, "height": value}}))


@pytest.mark.parametrize(
    "settings",
    [
        {"do_resize": "yes"},
        {"do_normalize": 1},
        {"image_mean": [0.5, 0.5]},
        {"image_mean": ["a", "b", "c"]},
        {"image_std": [0.5, 0.0, 0.5]},
        {"image_std": [-1, 1, 1]},
        {"image_std": float("inf")},
        {"image_mean": [float("nan")] * 3},
        {"rescale_factor": 0},
        {"rescale_factor": "1/255"},
        {"rescale_factor": 1e300},
        {"resample": "bicubic"},
        {"resample": True},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(tmp_path, settings):
    with pytest.raises(ModelCorrupt, match=r"preprocessor_config\.json: .* and not "):
        image_settings(processor(tmp_path, {**CLIP_TYPE, **settings}))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a": ' * 100_000])
@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json", "open_clip_config.json"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelCorrupt, match=name):
        image_settings(tmp_path)


def test_a_file_that_is_too_large_or_no_file_is_refused(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.mkdir()
    with pytest.raises(ModelCorrupt, match="not a regular file"):
        image_settings(tmp_path)
    path.rmdir()
    path.write_bytes(b" " * (17 << 20))
    with pytest.raises(ModelCorrupt, match="larger than"):
        image_settings(tmp_path)


def test_the_files_that_were_looked_for_are_named_where_there_are_none(tmp_path):
    processor(tmp_path, {"model_type": "clip"}, "config.json")
    with pytest.raises(ModelUnsupported) as caught:
        image_settings(tmp_path)
    for name in ("preprocessor_config.json", "processor_config.json", "open_clip_config.json"):
        assert name in caught.value.message
    with pytest.raises(ModelUnsupported) as caught:
        write_tokenizer(tmp_path, tmp_path / "written.json")
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "bpe_simple_vocab_16e6.txt.gz", "spiece.model"):
        assert name in caught.value.message
    assert not (tmp_path / "written.json").exists()


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("config.json", {"model_type": "clip", "text_config": {"model_type": "clip_text_model"}}, TextForm(77, None)),
        ("config.json", {"model_type": "clip"}, TextForm(77, 0)),
        ("config.json", {"model_type": "clip", "text_config": {"max_position_embeddings": 248}}, TextForm(248, None)),
        ("config.json", {"model_type": "clip_text_model", "max_position_embeddings": 32}, TextForm(32, None)),
        ("open_clip_config.json", {"model_cfg": {"text_cfg": {"context_length": 76}}}, TextForm(76, None)),
        ("open_clip_config.json", {"model_cfg": {"text_cfg": {"no_causal_mask": False}}}, TextForm(77, None)),
        ("other.json", {}, TextForm(77, 0)),
    ],
)
def test_the_length_of_texts_is_read_from_the_configuration(tmp_path, name, config, expected):
    assert text_form(processor(tmp_path, config, name)) == expected


@pytest.mark.parametrize("length", [0, 3, 10**9, "77", True, 7.5, [77]])
def test_an_absurd_length_of_texts_is_refused(tmp_path, length):
    processor(tmp_path, {"text_config": {"max_position_embeddings": length}}, "config.json")
    with pytest.raises(ModelCorrupt, match="length of texts"):
        text_form(tmp_path)


def test_a_text_tower_of_another_family_is_refused(tmp_path):
    config = {"model_cfg": {"text_cfg": {"hf_model_name": "xlm-roberta-base"}}}
    with pytest.raises(ModelUnsupported, match="xlm-roberta-base"):
        text_form(processor(tmp_path, config, "open_clip_config.json"))


def vocabulary(folder: Path, **changes: object) -> Path:
    """A tiny vocabulary of CLIP's form."""
    entries = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    entries += ["do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    files = {
        "vocab.json": {entry: number for number, entry in enumerate(entries)},
        "merges.txt": "#version: 0.2\nd o\ndo g</w>\n",
        **changes,
    }
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def test_a_tokenizer_is_built_from_a_vocabulary_and_merges(tmp_path):
    from tokenizers import Tokenizer

    target = tmp_path / "written.json"
    write_tokenizer(vocabulary(tmp_path), target)
    tokens = Tokenizer.from_file(str(target)).encode("A  Dog")
    assert tokens.tokens == ["<|startoftext|>", "a</w>", "dog</w>", "<|endoftext|>"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.json", {"a": 1}),
        ("vocab.json", {"a": "b", "<|startoftext|>": 1, "<|endoftext|>": 2}),
        ("vocab.json", {"a": -1, "<|startoftext|>": 1, "<|endoftext|>": 2}),
        ("vocab.json", "no JSON"),
        ("merges.txt", "#version: 0.2\nd o\nunknown pair\n"),
        ("merges.txt", "d o g\n"),
        ("merges.txt", "dog\n"),
        ("tokenizer.json", "no JSON"),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}'),
        ("tokenizer.json", '{"version": "1.0", "model": {"type": "Unigram", "unk_id": 7, "vocab": [["a", 0.0]]}}'),
    ],
)
def test_a_tokenizer_that_cannot_be_used_is_refused(tmp_path, name, content):
    with pytest.raises((ModelCorrupt, ModelUnsupported)) as caught:
        write_tokenizer(vocabulary(tmp_path, **{name: content}), tmp_path / "written.json")
    assert caught.value.message
    assert not (tmp_path / "written.json").exists()


def test_a_tokenizer_that_does_not_mark_the_end_is_refused(tmp_path):
    from tokenizers import Tokenizer, models

    Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelUnsupported, match="end of a text"):
        write_tokenizer(tmp_path, tmp_path / "written.json")


# The library tells of a panic on stderr, and it is no Exception.
def test_a_tokenizer_that_panics_is_refused(tmp_path):
    from tokenizers import Regex, Tokenizer, models, normalizers

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex("^"), "x"), normalizers.Replace(" ", "_")]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises((ModelCorrupt, ModelUnsupported)):
        write_tokenizer(tmp_path, tmp_path / "written.json")


def packed(folder: Path, data: bytes) -> Path:
    (folder / "bpe_simple_vocab_16e6.txt.gz").write_bytes(data)
    return folder


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no gzip", id="no gzip"),
        pytest.param(gzip.compress(b"x" * 100)[:-9], id="cut short"),
        pytest.param(gzip.compress(b"\n\xff\xfe a\n"), id="no UTF-8"),
    ],
)
def test_a_damaged_vocabulary_of_openai_is_refused(tmp_path, data):
    with pytest.raises(ModelCorrupt):
        write_tokenizer(packed(tmp_path, data), tmp_path / "written.json")


def test_a_vocabulary_that_unpacks_to_more_than_it_may_is_refused(tmp_path):
    with pytest.raises(ModelCorrupt, match="more than"):
        write_tokenizer(packed(tmp_path, gzip.compress(bytes(65 << 20), 1)), tmp_path / "written.json")


def field(number: int, kind: int, value: bytes) -> bytes:
    head = bytes([number << 3 | kind])
    return head + (bytes([len(value)]) if kind == 2 else b"") + value


def pieces(*kinds: int, model: int = 1) -> bytes:
    """A vocabulary of SentencePiece: unknown, end, and one piece for each kind."""
    every = [(b"<unk>", 2), (b"</s>", 3), *((b"p%d" % number, kind) for number, kind in enumerate(kinds))]
    data = b"".join(
        field(1, 2, field(1, 2, name) + field(2, 5, b"\0\0\x80\xbf") + field(3, 0, bytes([kind])))
        for name, kind in every
    )
    return data + field(2, 2, field(3, 0, bytes([model])) + field(9, 1, bytes(8)))


def test_a_vocabulary_of_sentencepiece_is_read_without_its_library(tmp_path):
    found = sentence_pieces(pieces(1, 1), tmp_path)
    assert found.scores == [("<unk>", -1.0), ("</s>", -1.0), ("p0", -1.0), ("p1", -1.0)]
    assert (found.unknown, found.end, found.character_map) == (0, 1, b"")


@pytest.mark.parametrize("data", [pieces(4), pieces(6), pieces(1, model=2)])
def test_a_vocabulary_of_another_kind_is_refused(tmp_path, data):
    with pytest.raises(ModelUnsupported):
        sentence_pieces(data, tmp_path)


@pytest.mark.parametrize("keep", range(0, len(pieces(1)), 3))
def test_a_cut_vocabulary_is_refused_or_read_up_to_a_whole_piece(tmp_path, keep):
    try:
        found = sentence_pieces(pieces(1)[:keep], tmp_path)
    except ModelCorrupt:
        return
    assert found.scores[:2] == [("<unk>", -1.0), ("</s>", -1.0)]


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 30, b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x01", b"\x0a\x02\x08\x01", b"\x0b"]
)
def test_garbage_is_no_vocabulary(tmp_path, data):
    with pytest.raises(ModelCorrupt):
        sentence_pieces(data, tmp_path)
    (tmp_path / "spiece.model").write_bytes(data)
    (tmp_path / "config.json").write_text('{"model_type": "siglip"}')
    with pytest.raises(ModelCorrupt):
        write_tokenizer(tmp_path, tmp_path / "written.json")


def test_a_map_of_characters_that_is_damaged_is_refused(tmp_path):
    damaged = pieces(1) + field(3, 2, field(2, 2, b"\xff\xff\xff\x7f damaged"))
    (tmp_path / "spiece.model").write_bytes(damaged)
    (tmp_path / "config.json").write_text('{"model_type": "siglip"}')
    with pytest.raises(ModelCorrupt):
        write_tokenizer(tmp_path, tmp_path / "written.json")
