#!/usr/bin/env python3
"""Make examples/photos again from unpacked packages.

usage: collect_example_photos.py UNPACKED OUT

UNPACKED holds one folder per unpacked package, named like the package (see
PREFIX below).  Every picture is scaled to at most 640 pixels on its long side,
metadata is dropped, and OUT/SOURCES.md lists where each one comes from.
Needs Pillow with WebP support.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

LONG_SIDE = 640
PD, CC0, BY4, GPL2 = "public domain", "CC0-1.0", "CC-BY-4.0", "GPL-2.0-or-later"

# folder name -> (path inside the package, how SOURCES.md names the package)
PREFIX: dict[str, tuple[str, str]] = {
    "scikit-image": ("skimage/data", "scikit-image 0.26.0 (PyPI)"),
    "scikit-learn": ("sklearn/datasets/images", "scikit-learn 1.9.1 (PyPI)"),
    "gcompris-qt-data": ("usr/share/gcompris-qt/rcc", "gcompris-qt-data 3.1 (Debian)"),
    "jigzo-data": ("usr/share/games/jigzo/puzzles/00_default", "jigzo-data 0.6.1 (Debian)"),
    "kphotoalbum": ("usr/share/kphotoalbum/demo", "kphotoalbum 5.9.1 (Debian)"),
    "lomiri-wallpapers-16.04": ("usr/share/backgrounds", "lomiri-wallpapers-16.04 20.04.0 (Debian)"),
    "mate-backgrounds": ("usr/share/backgrounds/mate", "mate-backgrounds 1.26.0 (Debian)"),
    "palapeli-data": ("usr/share/palapeli/collection", "palapeli-data 22.12.3 (Debian)"),
    "plasma-workspace-wallpapers": ("usr/share/wallpapers", "plasma-workspace-wallpapers 5.27.5 (Debian)"),
    "tuxpaint-stamps-default": ("usr/share/tuxpaint/stamps", "tuxpaint-stamps-default 2022.06.04 (Debian)"),
}


class Photo(NamedTuple):
    """One photograph: where it goes, where it comes from, and what is said of it."""

    out: str
    package: str
    # a path below PREFIX; "archive.rcc:folder/name" for a Qt resource file
    path: str
    shows: str
    author: str
    licence: str
    # left, top, right, bottom of the part to keep, in source pixels
    crop: tuple[int, int, int, int] | None = None


SKI, SKL, GC, LOM = "scikit-image", "scikit-learn", "gcompris-qt-data", "lomiri-wallpapers-16.04"
PLASMA, TUX = "plasma-workspace-wallpapers", "tuxpaint-stamps-default"
FARM, WORLD = "explore_farm_animals.rcc:resource/animals", "explore_world_animals.rcc:resource/animals"
ERASE, MONUMENT = "erase.rcc:resource", "explore_monuments.rcc:resource"
OTHERS, TOOLS = (f"categorization.rcc:resource/images/{n}" for n in ("others", "tools"))
PHOTOS = [
    Photo("animals/chelsea-the-cat.jpg", SKI, "chelsea.png", "a tabby cat, close up", "Stefan van der Walt", CC0),
    Photo("animals/cat-with-string.jpg", GC, f"{FARM}/cat.webp", "a young cat playing with a string", "Loliloli", PD),
    Photo("animals/german-shepherd.jpg", GC, f"{FARM}/dog.webp", "a German shepherd dog", "Hans Kemperman", PD),
    Photo(
        "animals/dogs-at-the-window.jpg",
        LOM,
        "friends_by_Aitzol_Berasategi.jpg",
        "two dogs looking out of a window (portrait)",
        "Aitzol Berasategi",
        BY4,
    ),
    Photo("animals/horses.jpg", GC, f"{FARM}/horse.webp", "a band of horses", "Seth Zeigler", CC0),
    Photo(
        "animals/elephant.png",
        TUX,
        "animals/mammals/elephant.png",
        "an elephant, cut out (transparent PNG)",
        "Stas Zytkiewicz (Childsplay), prepared by Pere Pujal i Carabantes",
        GPL2,
    ),
    Photo("animals/giraffes.jpg", GC, f"{WORLD}/giraffe.webp", "giraffes in the savanna", "Mike and Lara Wolfe", CC0),
    Photo("animals/sheep.jpg", GC, f"{FARM}/sheep.webp", "a sheep on grass", "Rob Mitchell", CC0),
    Photo("animals/koala.jpg", GC, f"{WORLD}/koala.webp", "a koala in a tree (portrait)", "BurningWell", PD),
    Photo(
        "animals/kingfisher.webp",
        GC,
        f"{ERASE}/kingfisher.webp",
        "a kingfisher, a blue and orange bird (WebP)",
        "Frank-2.0",
        CC0,
    ),
    Photo("animals/parrot.jpg", GC, f"{WORLD}/scarlet_macaw.webp", "a scarlet macaw", "Dcoetzee", CC0),
    Photo(
        "animals/honey-bee.jpg",
        "palapeli-data",
        "european-honey-bee.jpg",
        "a honey bee on a purple flower",
        "John Severns",
        PD,
    ),
    Photo("vehicles/rocket.jpg", SKI, "rocket.jpg", "a Falcon 9 rocket on the launch pad", "SpaceX", PD),
    Photo(
        "vehicles/helicopter.jpg",
        "jigzo-data",
        "heli-4x3.pzl",
        "a helicopter above a sailing boat",
        "Joana Clotet",
        "GPL-2.0-only",
        (2, 2, 638, 478),
    ),
    Photo(
        "vehicles/steam-train.jpg",
        "jigzo-data",
        "train-2x2.pzl",
        "a small steam train",
        "Maarten de Boer",
        GPL2,
        (2, 2, 538, 538),
    ),
    Photo(
        "vehicles/bicycle.jpg",
        "jigzo-data",
        "bike-3x4.pzl",
        "a pink bicycle with a basket (portrait)",
        "Maarten de Boer",
        GPL2,
        (2, 2, 478, 638),
    ),
    Photo(
        "vehicles/rowing-boats.jpg",
        PLASMA,
        "EveningGlow/contents/images/2560x1600.jpg",
        "rowing boats on a lake shore at sunset",
        "Ian Hex",
        "LGPL-3.0",
    ),
    Photo(
        "vehicles/fire-engine.jpg",
        TUX,
        "vehicles/emergency/firetruck.png",
        "a fire engine, cut out, on white",
        "Aaron M. Lang, prepared by Bill Kendrick",
        "CC-BY-2.5",
    ),
    Photo(
        "vehicles/jet-plane.png",
        TUX,
        "military/vehicles/f22_raptor.png",
        "a jet plane, cut out (transparent PNG)",
        "TSgt Ben Bloker, U.S. Air Force, prepared by Steve Karg",
        GPL2,
    ),
    Photo("food/cup-of-coffee.jpg", SKI, "coffee.png", "a cup of coffee", "Rachel Michetti, Pikolo Espresso Bar", CC0),
    Photo(
        "food/citrus-fruit.jpg",
        "palapeli-data",
        "citrus-fruits.jpg",
        "slices of citrus fruit",
        "US Department of Agriculture",
        PD,
    ),
    Photo("food/fig.jpg", LOM, "Picture_0B_by_freespace.jpg", "half a fig in a red bowl", 'Trevor "Freespace"', BY4),
    Photo(
        "plants/dahlia.jpg",
        SKL,
        "flower.jpg",
        "an orange dahlia flower",
        "vultilion / danielbuechele (see below)",
        "CC-BY-2.0",
    ),
    Photo(
        "plants/yellow-flower.jpg",
        "mate-backgrounds",
        "nature/YellowFlower.jpg",
        "a yellow flower",
        "Charles Barbin",
        GPL2,
    ),
    Photo(
        "plants/dandelions.jpg",
        LOM,
        "seeding_by_Clements_Engelhardt.jpg",
        "dandelion clocks in a meadow",
        "Clemens Engelhardt",
        CC0,
    ),
    Photo(
        "plants/autumn-leaf.jpg",
        PLASMA,
        "FallenLeaf/contents/images/2560x1600.jpg",
        "fallen maple leaves",
        "Martin Klapetek",
        "LGPL-3.0",
    ),
    Photo(
        "places/mountains.jpg",
        LOM,
        "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "a path below rocky mountains",
        "Aitzol Berasategi",
        BY4,
    ),
    Photo(
        "places/mountain-meadow.jpg",
        LOM,
        "aitzgorri_by_Aitzol_Berasategi.jpg",
        "a meadow and a mountain",
        "Aitzol Berasategi",
        BY4,
    ),
    Photo(
        "places/sunset.jpg", LOM, "sunset_by_Aitzol_Berasategi.jpg", "a low sun over hills", "Aitzol Berasategi", BY4
    ),
    Photo("places/sea.jpg", "kphotoalbum", "skagen.jpg", "waves of the sea", "Jesper K. Pedersen", GPL2),
    Photo(
        "places/forest-path.jpg",
        PLASMA,
        "Path/contents/images/2560x1600.jpg",
        "a path in a forest",
        "Risto Saukonpää",
        "LGPL-3.0",
    ),
    Photo("places/pagoda.jpg", SKL, "china.jpg", "a Chinese pagoda", "danielbuechele", "CC-BY-2.0"),
    Photo(
        "places/castle.jpg",
        GC,
        f"{MONUMENT}/germany/neuschwansteinCastle.webp",
        "a castle on a hill",
        "cameralends",
        CC0,
    ),
    Photo(
        "places/bridge-at-night.jpg",
        "palapeli-data",
        "cincinnati-bridge.jpg",
        "a lit bridge at night",
        "Derek Jensen",
        PD,
    ),
    Photo(
        "places/eiffel-tower.jpg", GC, f"{MONUMENT}/france/eiffelTower.webp", "the Eiffel Tower by day", "Tognopop", PD
    ),
    Photo("people/astronaut.jpg", SKI, "astronaut.png", "astronaut Eileen Collins", "NASA", PD),
    Photo("people/man-with-camera.jpg", SKI, "camera.png", "a man with a camera (greyscale JPEG)", "Lav Varshney", CC0),
    Photo(
        "things/wall-clock.jpg", LOM, "greentock_by_Peter_Nerlich.jpg", "a large clock", "Peter Nerlich", "CC-BY-SA-4.0"
    ),
    Photo("things/scissors.jpg", GC, f"{TOOLS}/scissors2.webp", "a pair of scissors", "Julo", PD),
    Photo("things/chair.jpg", GC, f"{OTHERS}/chair.webp", "a white chair (portrait)", "Pierre Gencey", PD),
]


def rcc_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of the files in a Qt binary resource file."""
    version, tree, content, names = struct.unpack_from(">4I", data, 4)
    size = 22 if version >= 2 else 14

    def walk(index: int, folder: str) -> Iterator[tuple[str, bytes]]:
        at = tree + index * size
        name_at, flags = struct.unpack_from(">IH", data, at)
        path = folder
        if index:
            (length,) = struct.unpack_from(">H", data, names + name_at)
            start = names + name_at + 6
            path = f"{folder}/{data[start : start + 2 * length].decode('utf-16-be')}"
        if flags & 2:
            count, first = struct.unpack_from(">II", data, at + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
            return
        (start,) = struct.unpack_from(">I", data, at + 10)
        (length,) = struct.unpack_from(">I", data, content + start)
        blob = data[content + start + 4 : content + start + 4 + length]
        yield path, zlib.decompress(blob[4:]) if flags & 1 else blob

    return walk(0, "")


def read_source(root: Path, photo: Photo) -> bytes:
    """Return the bytes of a photograph from its unpacked package."""
    archive, _, member = photo.path.partition(":")
    data = (root / photo.package / PREFIX[photo.package][0] / archive).read_bytes()
    if archive.endswith(".rcc"):
        found = [blob for path, blob in rcc_members(data) if path.endswith(f"/{member}")]
        if len(found) != 1:
            raise ValueError(f"{photo.path}: {len(found)} matches")
        return found[0]
    if archive.endswith(".pzl"):  # the last JPEG in the file holds the whole picture
        return data[data.rindex(b"\xff\xd8\xff") :]
    return data


def write_photo(photo: Photo, data: bytes, target: Path) -> None:
    """Scale a photograph down and store it without metadata."""
    image = Image.open(io.BytesIO(data))
    if photo.crop:
        image = image.crop(photo.crop)
    if target.suffix != ".png":
        if "A" in image.getbands():
            flat = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(flat, image.convert("RGBA"))
        image = image.convert("L" if image.mode == "L" else "RGB")
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    clean = Image.frombytes(image.mode, image.size, image.tobytes())  # no metadata
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".png":
        clean.save(target, optimize=True)
    else:
        clean.save(target, quality=85, **({"method": 6} if target.suffix == ".webp" else {"optimize": True}))


def main(unpacked: Path, out: Path) -> None:
    """Write all photographs and the table of their sources."""
    rows = []
    for photo in PHOTOS:
        write_photo(photo, read_source(unpacked, photo), out / photo.out)
        folder, package = PREFIX[photo.package]
        rows.append(
            f"| {photo.out} | {photo.shows} | {photo.author} | {package}: `{folder}/{photo.path}` | {photo.licence} |"
        )
    sources = out / "SOURCES.md"
    notes = sources.read_text(encoding="utf-8").partition("\n## ")[2] if sources.exists() else ""
    head = (
        "# Where the example photographs come from\n\n"
        "All pictures were scaled down to at most 640 pixels and stored again without metadata;\n"
        "some were also cropped or put on white. Each keeps the licence of its source.\n"
    )
    table = ["", "| File | Shows | Author | Source | Licence |", "| --- | --- | --- | --- | --- |", *rows, ""]
    sources.write_text(head + "\n".join(table) + (f"\n## {notes}" if notes else ""), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
