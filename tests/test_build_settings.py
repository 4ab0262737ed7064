from __future__ import annotations

import json
import math
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipdex import BuildEvents, BuildSettings, build
from clipdex.building.settings import BuildKeywords
from clipdex.errors import SettingsError
from helpers_engine import make_folder

TEXTS = st.text(max_size=8)
SETTINGS = st.builds(
    BuildSettings,
    format=TEXTS,
    options=st.dictionaries(TEXTS, TEXTS, max_size=3),
    index=st.none() | st.just("/indexes/photos"),
    model=st.none() | TEXTS,
    project_model=st.none() | TEXTS,
    device=TEXTS,
    precision=TEXTS,
    rebuild=st.booleans(),
    prune=st.booleans(),
    wait=st.booleans(),
    checkpoint_seconds=st.floats(0, allow_infinity=False) | st.integers(0, 2**40),
    max_pixels=st.integers(1),
)


@given(SETTINGS)
def test_settings_come_back_from_json_and_from_other_processes(settings):
    assert BuildSettings.from_dict(json.loads(json.dumps(settings.to_dict(), allow_nan=False))) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_what_json_does_not_say_is_as_when_nothing_is_said():
    assert BuildSettings.from_dict({}) == BuildSettings()
    assert BuildSettings.from_dict({"schema": 1, "rebuild": True}) == BuildSettings(rebuild=True)
    assert "model" not in BuildSettings().to_dict()


def test_the_index_in_json_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert BuildSettings(index=Path("here")).to_dict()["index"] == str(tmp_path / "here")


def test_settings_do_not_change_once_they_are_made():
    given = {"root": "a"}
    settings = BuildSettings(options=given)
    given["root"] = "b"
    assert settings.options == {"root": "a"}
    with pytest.raises(FrozenInstanceError):
        settings.rebuild = True


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"format": None}, "format is None, and must be a text"),
        ({"options": {"label": 1}}, "options is {'label': 1}, and must be texts by name"),
        ({"options": "label=class"}, "options is 'label=class'"),
        ({"index": 3}, "index is 3, and must be a path or nothing"),
        ({"model": Path("m")}, "model is"),
        ({"rebuild": "no"}, "rebuild is 'no', and must be true or false"),
        ({"checkpoint_seconds": -1}, "checkpoint_seconds is -1, and must be a number of seconds, at least 0"),
        ({"checkpoint_seconds": math.nan}, "checkpoint_seconds is nan"),
        ({"max_pixels": 0}, "max_pixels is 0, and must be a whole number of at least 1"),
        ({"max_pixels": 1.5}, "max_pixels is 1.5"),
        ({"max_pixels": True}, "max_pixels is True"),
    ],
)
def test_a_wrong_setting_is_refused_by_whoever_gives_it(tmp_path, wrong, said):
    root = make_folder(tmp_path / "data", "a.png")
    for use in (lambda: BuildSettings(**wrong), lambda: BuildSettings.from_dict(wrong), lambda: build(root, **wrong)):
        with pytest.raises(SettingsError) as caught:
            use()
        assert said in caught.value.message
    assert not (root / ".clipdex").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], r"settings of a build are \[\], and must be a JSON object"),
        ({"rebuilt": True}, "unknown key 'rebuilt'; they may have schema, format, options, "),
        ({"schema": 2}, "the schema of settings is 2"),
    ],
)
def test_json_that_is_no_settings_is_refused(body, said):
    with pytest.raises(SettingsError, match=said):
        BuildSettings.from_dict(body)


def test_numbers_of_numpy_are_numbers():
    settings = BuildSettings(max_pixels=np.int64(5), checkpoint_seconds=np.float32(2))
    assert json.loads(json.dumps(settings.to_dict()))["max_pixels"] == 5


def test_keywords_of_a_build_are_its_settings_and_events():
    names = {field.name for kind in (BuildSettings, BuildEvents) for field in fields(kind)}
    assert BuildKeywords.__annotations__.keys() == names


def test_a_build_takes_settings_and_events_and_keywords_in_their_place(tmp_path):
    root = make_folder(tmp_path / "data", "a.png", "b.png")
    settings = BuildSettings(index=tmp_path / "index", max_pixels=1)
    phases = []
    events = BuildEvents(progress=lambda progress: phases.append(progress.phase))
    assert len(build(root, settings, events).failed) == 2
    assert set(phases) == {"scan", "hash"}
    phases.clear()
    assert build(root, settings, events, max_pixels=10**6, progress=None).items == 2
    assert phases == []
    assert build(root, replace(settings, rebuild=True, max_pixels=10**6)).added == 2
    with pytest.raises(TypeError, match=r"build\(\) got an unexpected keyword argument 'rebuilt'"):
        build(root, rebuilt=True)
