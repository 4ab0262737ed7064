"""A text that a model does not read is answered with a warning, and one that it reads is not."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from clipdex import Explorer, build, read_result
from clipdex.encoder.languages import languages_of_repository, languages_of_source, languages_said
from clipdex.encoder.model import TextSettings, read_model
from clipdex.encoder.texts import TextPreparation
from clipdex.encoder.unread import words_of
from clipdex.errors import ModelCorrupt
from clipdex.models.conversion.centring import packaged_nouns
from clipdex.models.conversion.layouts import languages_of
from clipdex.models.hub.known import KNOWN
from helpers_engine import STARTER, copy_model

ENGLISH = ("en",)
EVERYDAY = (
    "a dog",
    "a man's hat, and 2 cats",
    "don't",
    "doggo",
    "elefant",
    "schnauzer",
    "café",
    "cafe\u0301",
    "naïve Zürich smörgåsbord",
    "a brown dog – asleep… on a “sofa”",
    "c++",
    "20 % off",
    "$5",
    "5 µm",
    "½ an apple",
    "2020",
    "IMG_0001.JPG",
    "sooooo cute!!!",
    "asdfgh",
    "http://example.org/a?b=c#d",
    "Dvořák",
    "e-mail & fax (old)",
)


@pytest.fixture
def reading(encoder):
    """What the bundled model does not read of a text: the words, and whether that is all."""

    def read(text: str) -> tuple[tuple[str, ...], bool]:
        unread = encoder.text_key(text).unread
        return unread.words, unread.whole

    return read


@pytest.mark.parametrize("text", EVERYDAY)
def test_ordinary_english_is_read(reading, text):
    assert reading(text) == ((), False)


def test_everyday_nouns_and_misspelled_ones_are_read(encoder):
    texts = TextPreparation(STARTER / "tokenizer.json", encoder.model.text)
    for noun in packaged_nouns():
        for spelled in (noun, noun[::-1], noun[:-1] + "q", noun.upper()):
            assert not texts.unread(spelled, ENGLISH).words, spelled


@pytest.mark.parametrize(
    ("text", "words", "whole"),
    [
        ("狗", ["狗"], True),
        ("🐱", ["🐱"], True),
        ("γάτα", ["γάτα"], True),
        ("собака", ["собака"], True),
        ("강아지", ["강아지"], True),
        ("हिन्दी", ["हिन्दी"], True),
        ("كلب", ["كلب"], True),
        ("犬と猫", ["犬と猫"], True),
        ("𝐝𝐨𝐠", ["𝐝𝐨𝐠"], True),
        ("dog 狗", ["狗"], False),
        ("dog狗", ["狗"], False),
        ("a 狗, 🐱 and 狗", ["狗", "🐱"], False),
        ("🐱🐶 ♫", ["🐱🐶", "♫"], True),
        ("👨\u200d👩\u200d👧 family", ["👨\u200d👩\u200d👧"], False),
        ("x" * 120, ["x" * 120], True),
        ("!!!", [], True),
        ("...", [], True),
        ("- ?", [], True),
        ("\u200b", [], True),
        ("\u0301", [], True),
    ],
)
def test_what_the_bundled_model_does_not_read_is_named(reading, text, words, whole):
    assert reading(text) == (tuple(words), whole)


def test_words_are_runs_of_one_kind_and_leave_nothing_out():
    text = "Ωmega-3 狗dog! c\u0301a 👩\u200d👧x\ty"
    found = [(text[word.start : word.end], word.kind) for word in words_of(text)]
    assert found == [
        *[("Ω", "other letters"), ("mega", "letters"), ("-", "marks"), ("3", "letters"), ("狗", "other letters")],
        *[("dog", "letters"), ("!", "marks"), ("c\u0301a", "letters"), ("👩\u200d👧", "symbols"), ("x", "letters")],
        ("y", "letters"),
    ]


def preparation(folder, model, **parts) -> TextPreparation:
    tokenizer = Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.save(str(folder / "tokenizer.json"))
    return TextPreparation(folder / "tokenizer.json", TextSettings(length=32, prompt="{}"))


def test_a_vocabulary_with_an_unknown_token_lacks_words(tmp_path):
    model = models.WordLevel({"[UNK]": 0, "dog": 1, "собака": 2}, unk_token="[UNK]")
    texts = preparation(tmp_path, model, pre_tokenizer=pre_tokenizers.Whitespace())
    assert texts.unread("dog cat собака", ()).words == ("cat",)
    assert texts.unread("dog cat собака", ENGLISH).words == ("cat", "собака")
    assert texts.unread("cat", ()).whole


@pytest.mark.parametrize("bytes_too", [False, True])
def test_a_vocabulary_of_pieces_lacks_characters(tmp_path, bytes_too):
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("d", -2.0), ("o", -2.0), ("g", -2.0), ("犬", -3.0)]
    pieces += [(f"<0x{byte:02X}>", -9.0) for byte in range(256)] if bytes_too else []
    texts = preparation(
        tmp_path, models.Unigram(pieces, 0, bytes_too), pre_tokenizer=pre_tokenizers.Metaspace(), normalizer=None
    )
    assert texts.unread("dog 犬", ()).words == ()
    assert texts.unread("dog 猫", ()).words == ("猫",)
    assert texts.unread("🐱", ()).whole


def test_a_vocabulary_of_bytes_lacks_nothing_and_then_the_language_tells(tmp_path):
    alphabet = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    texts = preparation(tmp_path, models.BPE(alphabet, []), pre_tokenizer=pre_tokenizers.ByteLevel())
    for text in ("狗", "собака", "🐱"):
        assert not texts.unread(text, ("mul",)).whole
        assert not texts.unread(text, ()).words
        assert texts.unread(text, ENGLISH).whole
    assert texts.unread("a dog 狗", ENGLISH).words == ("狗",)
    assert not texts.unread("Hund", ENGLISH).whole
    assert texts.unread("?!", ("mul",)).whole


def test_a_text_of_which_the_tokenizer_leaves_nothing_is_not_read(tmp_path):
    model = models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")
    texts = preparation(tmp_path, model, normalizer=normalizers.Replace("dog", ""))
    assert texts.unread("dog", ("mul",)).whole


@pytest.mark.parametrize("text", ["狗", "dog 狗", "!!!"])
def test_the_warning_is_in_the_result_its_json_and_on_stderr(cli, photos, tmp_path, text):
    with Explorer(photos) as explorer:
        result = explorer.explore_topk(text, topk=1)
        assert explorer.explore_topk("a dog", topk=1).warnings == ()
        assert len(explorer.explore_topk("a dog", topk=1, negative=text).warnings) == 1
    warning = result.warnings[0]
    assert repr(text) in warning
    done = cli("query", photos, "--text", text, "-k", "1", "--output", "json")
    assert (done.code, done.json["warnings"]) == (0, list(result.warnings))
    assert done.json["queries"][0].get("unread", []) == list(result.queries[0].unread)
    assert warning in done.err
    cli("save", "-o", "saved")
    assert read_result(tmp_path / "here" / "saved" / "result.json").warnings == result.warnings


def test_the_warning_names_what_is_not_read_and_the_language_that_is(cli, photos):
    assert (
        "starter reads English, and not '狗', '🐱' in the text 'dog 狗 🐱'"
        in cli("query", photos, "--text", "dog 狗 🐱", "-k", "1").err
    )
    assert "reads English, and no word of the text '狗'" in cli("query", photos, "--text", "狗", "-k", "1").err
    many = " ".join("狗猫牛马羊鸡鸭鱼虎象") + " dog" + " x" * 50
    said = cli("query", photos, "--text", many, "-k", "1").err
    assert "and 5 more in the text" in said
    assert cli("query", photos, "--text", "a dog", "!!!", "!!!", "-k", "1").err.count("has no words") == 1


def test_a_model_that_states_no_language_is_not_taken_for_english(photos, tmp_path, cli):
    folder = copy_model(tmp_path / "model", lambda description: description.update(source="mine", name="mine"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes((photos / "food" / "fig.jpg").read_bytes())
    build(tmp_path / "photos", model=str(folder))
    assert "languages   not stated" in cli("model", "info", folder).out.decode()
    assert "The model mine reads no word of the text '狗'" in cli("query", tmp_path / "photos", "--text", "狗").err
    assert cli("query", tmp_path / "photos", "--text", "собака").err == ""


def test_languages_are_stated_or_known_by_the_origin(tmp_path):
    assert read_model(STARTER).languages == ENGLISH
    assert read_model(copy_model(tmp_path / "a", lambda text: text.update(languages=["de", "zh-Hant"]))).languages == (
        "de",
        "zh-Hant",
    )
    assert languages_of_source({"model": {"model": {"repository": KNOWN[0].repository}}}) == ENGLISH
    assert languages_of_source({"repository": ["x"]}) == languages_of_source(None) == languages_of_source([[]]) == ()
    assert all(languages_of_repository(known.repository) for known in KNOWN)


@pytest.mark.parametrize(
    "languages", ["en", None, {"en": 1}, ["en\x1b[2J"], [1], ["English"], [""], ["en"] * 1000, [["en"]], ["e" * 100000]]
)
def test_languages_that_are_no_codes_are_refused(tmp_path, languages):
    folder = copy_model(tmp_path / "model", lambda description: description.update(languages=languages))
    with pytest.raises(ModelCorrupt, match="languages") as raised:
        read_model(folder)
    assert len(str(raised.value)) < 1000 + len(str(folder))


@pytest.mark.parametrize(
    ("card", "languages"),
    [
        ("---\nlanguage: en\nlicense: mit\n---\n", ("en",)),
        ("---\nlicense: mit\nlanguage:\n- en\n- de\ntags:\n- clip\n---\n", ("en", "de")),
        ("---\nlanguage: [en, 'zh']\n---\n", ("en", "zh")),
        ("---\nlanguage: multilingual\n---\n", ("mul",)),
        ("---\nlanguage: English\n---\n", ()),
        ("---\nlicense: mit\n---\nlanguage: en\n", ()),
        ("language: en", ()),
        ("", ()),
    ],
)
def test_languages_of_a_published_folder_are_those_of_its_card(tmp_path, card, languages):
    (tmp_path / "README.md").write_text(card)
    assert languages_of(tmp_path) == languages


def test_a_repeated_query_is_warned_of_again(cli, photos, tmp_path):
    project = tmp_path / "project"
    cli("project", "create", project)
    cli("project", "add", "-p", project, photos)
    assert "no word of the text '狗'" in cli("query", "-p", project, "--text", "狗", "-k", "1").err
    done = cli("project", "run", "-p", project, "--no-build")
    assert (done.code, "no word of the text '狗'" in done.err) == (0, True)


def test_info_says_which_languages_a_model_reads(cli, odd):
    assert "Reads English" in cli("info", odd).out.decode()
    assert cli("info", odd, "--json").json[0]["model_languages"] == ["en"]
    assert "languages   English" in cli("model", "info", "starter").out.decode()
    assert "languages   English" in cli("model", "info", "clip-vit-b-32").out.decode()
    assert languages_said(["mul"]) == "several languages"
    assert languages_said(["en", "de", "xx"]) == "English, German and xx"


def test_stating_a_language_is_no_part_of_the_bundled_model():
    assert "languages" not in json.loads((STARTER / "model.json").read_text(encoding="utf-8"))
