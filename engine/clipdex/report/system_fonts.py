"""Which fonts of the system have Chinese, Japanese and Korean characters."""

from __future__ import annotations

import functools
import os
import sys
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

# File names without their ending, in lower case, best first: fonts of all three languages, then those of one or two.
_NAMES = (
    *("notosanscjk-regular", "notosanscjk-vf", "notosanscjkjp-regular", "notosanscjksc-regular"),
    *("notosanscjktc-regular", "notosanscjkkr-regular", "sourcehansans-regular", "sourcehansans-vf"),
    *("wqy-microhei", "wqy-zenhei", "droidsansfallbackfull", "droidsansfallback", "arial unicode", "arialuni"),
    *("pingfang", "hiragino sans gb", "ヒラギノ角ゴシック w3", "stheiti light", "stheiti medium"),
    *("applesdgothicneo", "applegothic", "msyh", "yugothr", "yugothm", "msgothic", "meiryo", "malgun", "gulim"),
    *("msjh", "simsun", "simhei", "mingliu", "notosanssc-regular", "notosanssc-vf", "notosansjp-regular"),
    *("notosansjp-vf", "notosanskr-regular", "notosanskr-vf", "ipaexg", "ipagp", "ipag", "vl-gothic-regular"),
    *("takaopgothic", "takaogothic", "nanumgothic", "baekmuk-gulim", "uming", "ukai", "unifont"),
)
_PLACES = {name: place for place, name in enumerate(_NAMES)}
_ENDINGS = (".ttf", ".otf", ".ttc")
_MOST_FONTS = 6
_MOST_BYTES = 256 << 20
_MOST_ENTRIES = 20_000
_DEPTH = 3


def font_folders() -> list[Path]:
    """Return the folders in which systems of this kind keep fonts; they need not exist."""
    if sys.platform == "win32":
        windows, local = os.environ.get("WINDIR", r"C:\Windows"), os.environ.get("LOCALAPPDATA", "")
        folders = [Path(windows, "Fonts"), Path(local, "Microsoft", "Windows", "Fonts")]
    elif sys.platform == "darwin":
        folders = [Path("/System/Library/Fonts"), Path("/Library/Fonts"), _at_home("Library/Fonts")]
    else:
        own = os.environ.get("XDG_DATA_HOME") or _at_home(".local/share")
        folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path(own, "fonts"), _at_home(".fonts")]
        folders.append(Path("/run/current-system/sw/share/X11/fonts"))
    return [folder for folder in folders if folder.is_absolute()]


def find_cjk_fonts(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return up to six known fonts with Chinese, Japanese or Korean characters, best first.

    Each folder is read three levels deep, and only its first 20,000 entries.
    """
    found = [path for folder in folders for path in _font_files(folder)]
    return tuple(sorted(found, key=lambda path: _PLACES[_name_of(path.name)])[:_MOST_FONTS])


@functools.cache
def cjk_fonts() -> tuple[Path, ...]:
    """Return the fonts of this system with Chinese, Japanese or Korean characters, best first; looked for once."""
    return find_cjk_fonts(font_folders())


def _at_home(path: str) -> Path:
    # Where there is no home folder the path stays relative, and is not looked at.
    return Path(os.path.expanduser("~"), path)  # noqa: PTH111 - Path.home() raises


def _name_of(file_name: str) -> str:
    name, _ = os.path.splitext(unicodedata.normalize("NFC", file_name))  # noqa: PTH122 - a text
    return name.lower()


def _font_files(folder: Path) -> Iterator[Path]:
    left = _MOST_ENTRIES
    waiting = deque([(str(folder), 0)])
    while waiting:
        path, depth = waiting.popleft()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    left -= 1
                    if left < 0:
                        return
                    if depth < _DEPTH and entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
                    elif _is_known(entry):
                        yield Path(entry.path)
        except OSError:
            continue


def _is_known(entry: os.DirEntry[str]) -> bool:
    if not entry.name.lower().endswith(_ENDINGS) or _name_of(entry.name) not in _PLACES:
        return False
    return entry.is_file() and entry.stat().st_size <= _MOST_BYTES
