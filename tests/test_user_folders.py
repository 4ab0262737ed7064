"""Where the user's folders are, beside what ``platformdirs`` says."""

from __future__ import annotations

import sys
from pathlib import Path

import platformdirs
import pytest

from clipdex.user_folders import cache_folder, data_folder, state_folder

KINDS = {"user_data_dir": data_folder, "user_cache_dir": cache_folder, "user_state_dir": state_folder}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere platformdirs is asked")
@pytest.mark.parametrize("home", ["/home/you", None])
@pytest.mark.parametrize("base", ["/elsewhere/of mine", "", "relative", None])
@pytest.mark.parametrize("kind", KINDS)
def test_the_folders_are_those_of_platformdirs(monkeypatch, kind, base, home):
    monkeypatch.delenv("CLIPDEX_HOME", raising=False)
    variables = {"XDG_DATA_HOME": base, "XDG_CACHE_HOME": base, "XDG_STATE_HOME": base, "HOME": home}
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    expected = Path(getattr(platformdirs, kind)("clipdex", appauthor=False))
    if expected.is_absolute():
        assert KINDS[kind]() == expected
