"""What a centre computed from the packaged photos and nouns is worth: precision of text to image, by centre.

The packaged photos and nouns stand in for images and queries that are not known when a model is added. Their centres
are compared with those that the model came with, with none (plain signs), and with centres of the very images and
class names that are searched for, which no model can know.

The query is ``--template`` with the class name; a hit is right when it is of that class. P@k is the mean share of right
ones among the first k, k being the largest of 1, 10, 100 that every class has images for.

Towers of CLIP lie farther apart than those of the bundled model. ``--gap`` imitates that: it scales all embeddings to
unit length, adds to those of each tower a fixed vector of that length in a direction of its own, and scales again.

    python benchmarks/centring.py FOLDER... [--model MODEL]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipdex.encoder import Encoder, find_model, prepare
from clipdex.media.decoding import load_image
from clipdex.models.conversion.centring import centre, packaged_nouns, packaged_photos
from common import add_folders, class_folders, parse, show_command, show_table
from quality import CUTS, embed_classes, embed_folder, precision, signs, unit

Floats = npt.NDArray[np.float32]

PROMPT, BARE = "in the prompt", "bare"
_CROP = 0.75


@dataclass(frozen=True)
class Labelled:
    """A folder of class folders, embedded: images ``[n, d]`` with their classes, and a query ``[d]`` for each class."""

    name: str
    images: Floats
    classes: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    queries: Floats

    @property
    def cut(self) -> int:
        """The largest cut for which every class has images."""
        fewest = min(int((self.classes == name).sum()) for name in self.names)
        return max(cut for cut in CUTS if cut <= fewest)

    def score(self, image_centre: Floats, text_centre: Floats) -> float:
        """Return the precision of text to image with these centres."""
        asked, kept = signs(self.queries - text_centre), signs(self.images - image_centre)
        return precision(asked, kept, self.names, self.classes, same=False)[self.cut]


@dataclass(frozen=True)
class Material:
    """What centres are made from, embedded: photos ``[photos, views, d]``, nouns ``[nouns, d]`` by form."""

    photos: Floats
    nouns: dict[str, Floats]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(parser)
    parser.add_argument("--model", help="name or folder of the model (default: the bundled one)")
    parser.add_argument("--template", default="a photo of a {}", help="query text for a class")
    parser.add_argument("--photos", type=int, nargs="+", default=[10, 20, 30, 45, 60], metavar="N", help="subsets")
    parser.add_argument("--nouns", type=int, nargs="+", default=[25, 50, 100, 200, 300], metavar="N", help="subsets")
    parser.add_argument("--draws", type=int, default=5, help="random subsets of each size (default: %(default)s)")
    parser.add_argument("--gap", type=float, nargs="+", default=[1.0, 2.0], metavar="LENGTH", help="as said above")
    parser.set_defaults(most=None)
    arguments = parse(parser, photos=[2], nouns=[2], draws=2, most=4)
    show_command()
    encoder = Encoder(find_model(arguments.model), many=True)
    with class_folders(arguments.folders) as named:
        folders = [embed(folder, arguments.template, encoder) for folder in named]
    material = embed_material(encoder, arguments.most)
    compare_centres(folders, material, (encoder.image_centre, encoder.text_centre))
    compare_views(folders, material)
    compare_numbers(folders, material, arguments.photos, arguments.nouns, arguments.draws)
    for length in arguments.gap:
        compare_with_gap(folders, material, length)


def embed(folder: Path, template: str, encoder: Encoder) -> Labelled:
    """Embed a folder of class folders and its class names, not centred."""
    images, classes = embed_folder(folder, encoder)
    names = np.array(sorted(set(classes)))
    queries = embed_classes(list(names), template, encoder)
    return Labelled(folder.name, images + encoder.image_centre, classes, names, queries + encoder.text_centre)


def embed_material(encoder: Encoder, most: int | None = None) -> Material:
    """Embed all views of the packaged photos (at most ``most``), and as many nouns with and without the prompt.

    They are not centred.
    """
    settings = encoder.model.image
    photos = [load_image(path, settings.background) for path in packaged_photos()[:most]]
    pixels = ((None, prepare(view, settings)) for photo in photos for view in views(photo))
    embeddings = np.stack([embedding for _, embedding in encoder.image_embeddings(pixels)])
    forms = {PROMPT: encoder.model.text.prompt, BARE: "{}"}
    nouns = {
        form: embed_classes(packaged_nouns()[:most], template, encoder) + encoder.text_centre
        for form, template in forms.items()
    }
    return Material(embeddings.reshape(len(photos), -1, embeddings.shape[-1]), nouns)


def views(image: Image.Image) -> Iterator[Image.Image]:
    """Yield an image, its mirror image, and squares out of its centre and its four corners, 7 in all."""
    yield image
    yield image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = round(min(image.size) * _CROP)
    right, bottom = image.width - side, image.height - side
    for left, top in ((right // 2, bottom // 2), (0, 0), (right, 0), (0, bottom), (right, bottom)):
        yield image.crop((left, top, left + side, top + side))


def show_scores(
    folders: Sequence[Labelled], title: str, rows: dict[str, Callable[[Labelled], tuple[Floats, Floats]]]
) -> None:
    """Print the precision in each folder with the centres that each row gives for it."""
    header = [title, *(f"{folder.name} P@{folder.cut}" for folder in folders)]
    show_table(
        header, [[name, *(f"{folder.score(*row(folder)):.3f}" for folder in folders)] for name, row in rows.items()]
    )


def compare_centres(folders: Sequence[Labelled], material: Material, own: tuple[Floats, Floats]) -> None:
    """Print where centres can come from."""
    photos, prompt, bare = centre(material.photos[:, 0]), centre(material.nouns[PROMPT]), centre(material.nouns[BARE])
    both = centre(np.concatenate([material.nouns[PROMPT], material.nouns[BARE]]))
    show_scores(
        folders,
        "centres",
        {
            "those of the model": always(*own),
            "photos, nouns in the prompt (the recipe)": always(photos, prompt),
            "photos, nouns bare": always(photos, bare),
            "photos, nouns both ways": always(photos, both),
            "none: plain signs": always(np.zeros_like(photos), np.zeros_like(bare)),
            "images of the folder, nouns in the prompt": lambda folder: (centre(folder.images), prompt),
            "images and class names of the folder": lambda folder: (centre(folder.images), centre(folder.queries)),
        },
    )


def compare_views(folders: Sequence[Labelled], material: Material) -> None:
    """Print what more views of each photo give."""
    text = centre(material.nouns[PROMPT])
    chosen = {
        "the photo": [0],
        "and its mirror image": [0, 1],
        "and its centre": [0, 2],
        "all, with the corners": range(material.photos.shape[1]),
    }
    means = {
        name: centre(np.concatenate([material.photos[:, view] for view in numbers])) for name, numbers in chosen.items()
    }
    show_scores(folders, "views", {name: always(mean, text) for name, mean in means.items()})


def always(image: Floats, text: Floats) -> Callable[[Labelled], tuple[Floats, Floats]]:
    """Return a row of ``show_scores`` with the same centres for every folder."""
    return lambda _: (image, text)


def compare_numbers(
    folders: Sequence[Labelled], material: Material, photos: Sequence[int], nouns: Sequence[int], draws: int
) -> None:
    """Print what fewer photos or fewer nouns give: mean and standard deviation over random subsets."""
    images, texts = material.photos[:, 0], material.nouns[PROMPT]
    image, text = centre(images), centre(texts)
    header = [f"mean ± deviation of {draws}", *(f"{folder.name} P@{folder.cut}" for folder in folders)]
    rows = [
        [f"{count} photos", *(spread([(part, text) for part in parts], folder) for folder in folders)]
        for count, parts in ((count, subsets(images, count, draws)) for count in photos)
    ]
    rows += [
        [f"{count} nouns", *(spread([(image, part) for part in parts], folder) for folder in folders)]
        for count, parts in ((count, subsets(texts, count, draws)) for count in nouns)
    ]
    rows.append([f"all {len(images)} and {len(texts)}", *(f"{folder.score(image, text):.3f}" for folder in folders)])
    show_table(header, rows)


def subsets(embeddings: Floats, count: int, draws: int) -> list[Floats]:
    """Return the centres of random subsets."""
    generator = np.random.default_rng(count)
    return [centre(embeddings[generator.permutation(len(embeddings))[:count]]) for _ in range(draws)]


def spread(centres: Sequence[tuple[Floats, Floats]], folder: Labelled) -> str:
    """Write mean and standard deviation of the scores with several centres."""
    scores = [folder.score(*pair) for pair in centres]
    return f"{np.mean(scores):.3f} ± {np.std(scores):.3f}"


def compare_with_gap(folders: Sequence[Labelled], material: Material, length: float) -> None:
    """Print the comparison again for towers that were moved apart."""
    size = material.photos.shape[-1]
    offsets = length * unit(np.random.default_rng(0).standard_normal((2, size)).astype(np.float32))

    def moved(embeddings: Floats, tower: int) -> Floats:
        return unit(unit(embeddings) + offsets[tower])

    apart = [
        Labelled(folder.name, moved(folder.images, 0), folder.classes, folder.names, moved(folder.queries, 1))
        for folder in folders
    ]
    photos, nouns = moved(material.photos[:, 0], 0), moved(material.nouns[PROMPT], 1)
    image, text, none = centre(photos), centre(nouns), np.zeros(size, np.float32)
    print(
        f"Gap of {length:g}: mean cosine {(photos @ photos.T).mean():.2f} between photos, "
        f"{(nouns @ nouns.T).mean():.2f} between nouns, {(photos @ nouns.T).mean():.2f} between photos and nouns.\n"
    )
    show_scores(
        apart,
        "centres",
        {
            "the recipe": always(image, text),
            "none: plain signs": always(none, none),
            "images and class names of the folder": lambda folder: (centre(folder.images), centre(folder.queries)),
        },
    )


if __name__ == "__main__":
    main()
