"""How good are the hash keys of a model? Precision of retrieval on folders of class folders, and on labelled datasets.

Text to image: the query is ``--template`` with the class name (the folder's, underscores as spaces); a hit is right
when it is of that class. Image to image: every image asks for the others. Four ways of comparing are shown side by
side: ``hamming`` (what clipdex does), ``float`` (cosine of the centred embeddings: what the bits are made from),
``asymmetric`` (the float query against the stored bits of all items), and ``rescored`` (what ``--rescore`` does: the
same for the candidates by Hamming distance only, ten for each hit that is asked for).

P@k is the mean share of right ones among the first k. Where a class has fewer than k images it cannot reach 1.

Where images have several labels (YOLO, COCO, Pascal VOC), the measure is the average precision: the mean, over the
images that have the label, of the share of right ones among all that come no later. It is printed for each class of at
least three images, and as the mean over the classes. ``chance`` is the share of images that have the label.

    python benchmarks/quality.py FOLDER... [--model MODEL]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipdex.encoder import Encoder, find_model, prepare
from clipdex.media.decoding import load_image
from clipdex.readers import ReadItem
from clipdex.readers.sources import locate, open_reader
from clipdex.search.ranking import CANDIDATES
from common import add_folders, class_folders, parse, show_command, show_table

Floats = npt.NDArray[np.float32]
Labels = list[tuple[str, ...]]
CUTS = (1, 10, 100)
# Average precision of fewer images is chance.
LEAST = 3
WAYS = ("hamming", "float", "asymmetric", "rescored")
# What rescoring of the default answer looks at.
RESCORED = 50 * CANDIDATES


def embed_dataset(folder: Path, encoder: Encoder) -> tuple[Floats, Labels]:
    """Return the centred embeddings of the images of a dataset, float32 ``[n, d]``, and the labels of each."""
    reader = open_reader(locate(folder))
    items = [item for item in reader.read() if isinstance(item, ReadItem)]
    settings = encoder.model.image
    pixels = (
        (
            None,
            prepare(load_image(reader.root / (item.media or item.id), settings.background), settings),
        )
        for item in items
    )
    embeddings = np.stack([embedding for _, embedding in encoder.image_embeddings(pixels)])
    return embeddings - encoder.image_centre, [item.labels for item in items]


def with_classes(embeddings: Floats, labels: Labels) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Return the embeddings of the images that have a label, and the first label of each."""
    labelled = [number for number, image in enumerate(labels) if image]
    return embeddings[labelled], np.array([labels[number][0] for number in labelled])


def embed_folder(folder: Path, encoder: Encoder) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Return the centred embeddings of a folder of class folders, float32 ``[n, d]``, and the class of each."""
    return with_classes(*embed_dataset(folder, encoder))


def embed_classes(names: list[str], template: str, encoder: Encoder) -> Floats:
    """Return the centred embeddings of the class names in a template, float32 ``[classes, d]``."""
    texts = [template.format(name.replace("_", " ")) for name in names]
    return np.stack([encoder.text_embedding(text) for text in texts]) - encoder.text_centre


def unit(vectors: Floats) -> Floats:
    """Scale vectors to length 1."""
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return scaled


def signs(vectors: Floats) -> Floats:
    """Return +1 and -1 for the bits: their inner product is d - 2 x Hamming distance."""
    return np.where(vectors > 0, np.float32(1), np.float32(-1))


def precision(
    queries: Floats,
    stored: Floats,
    wanted: npt.NDArray[np.str_],
    classes: npt.NDArray[np.str_],
    *,
    same: bool,
    again: Floats | None = None,
) -> dict[int, float]:
    """Return P@k for the given similarity vectors; with ``same``, query i is item i and does not find itself.

    With ``again``, the first are candidates, which are put in order by these vectors of the queries.
    """
    right: dict[int, list[float]] = {cut: [] for cut in CUTS}
    for number in range(len(queries)):
        similarity = stored @ queries[number]
        if same:
            similarity[number] = -np.inf
        order = np.argsort(-similarity, kind="stable")[: len(similarity) - same]
        for cut in CUTS:
            first = order[:cut]
            if again is not None:
                candidates = order[: cut * CANDIDATES]
                first = candidates[np.argsort(-(stored[candidates] @ again[number]), kind="stable")[:cut]]
            right[cut].append(float((classes[first] == wanted[number]).mean()))
    return {cut: float(np.mean(values)) for cut, values in right.items()}


def compare(
    title: str, queries: Floats, stored: Floats, wanted: npt.NDArray[np.str_], classes: npt.NDArray[np.str_]
) -> list[list[str]]:
    """Return rows of the table: the precision by each of the four ways of comparing."""
    same = queries is stored
    ways = {
        "hamming": (signs(queries), signs(stored)),
        "float": (unit(queries), unit(stored)),
        "asymmetric": (unit(queries), signs(stored)),
    }
    scores = {name: precision(asked, kept, wanted, classes, same=same) for name, (asked, kept) in ways.items()}
    scores["rescored"] = precision(signs(queries), signs(stored), wanted, classes, same=same, again=unit(queries))
    return [[title, name, *(f"{score[cut]:.3f}" for cut in CUTS)] for name, score in scores.items()]


def average_precision(order: npt.NDArray[np.intp], shown: npt.NDArray[np.bool_]) -> float:
    """Return the average precision of images in ``order``, of which those in ``shown`` are right."""
    right = shown[order]
    return float((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())


def orders(query: Floats, stored: Floats) -> dict[str, npt.NDArray[np.intp]]:
    """Return all images in the order of each way of comparing, for one query."""
    similarities = {
        "hamming": signs(stored) @ signs(query),
        "float": unit(stored) @ unit(query),
        "asymmetric": signs(stored) @ unit(query),
    }
    found = {way: np.argsort(-similarity, kind="stable") for way, similarity in similarities.items()}
    first, rest = np.split(found["hamming"], [RESCORED])
    again = first[np.argsort(-similarities["asymmetric"][first], kind="stable")]
    return {**found, "rescored": np.concatenate([again, rest])}


def average_precisions(title: str, names: list[str], texts: Floats, stored: Floats, labels: Labels) -> list[list[str]]:
    """Return rows of the table: average precision of each class by each way of comparing, after their means."""
    rows = []
    for name, text in zip(names, texts, strict=True):
        shown = np.array([name in image for image in labels])
        if shown.sum() >= LEAST:
            precisions = [average_precision(order, shown) for order in orders(text, stored).values()]
            rows.append((name, [*precisions, float(shown.mean())]))
    means = np.mean([values for _, values in rows], axis=0).tolist()
    named = [(f"{title}: mean of {len(rows)} class{'es' * (len(rows) != 1)}", means), *rows]
    return [[name, *(f"{value:.3f}" for value in values)] for name, values in named]


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(parser)
    parser.add_argument("--model", help="name or folder of the model (default: the bundled one)")
    parser.add_argument("--template", default="a photo of a {}", help="query text for a class")
    arguments = parse(parser)
    show_command()
    encoder = Encoder(find_model(arguments.model), many=True)
    title = f"{encoder.model.name}, {encoder.model.embedding_size} bits"
    rows: list[list[str]] = []
    with class_folders(arguments.folders) as folders:
        for folder in folders:
            stored, labels = embed_dataset(folder, encoder)
            names = sorted({label for image in labels for label in image})
            texts = embed_classes(names, arguments.template, encoder)
            if any(len(image) > 1 for image in labels):
                table = average_precisions(folder.name, names, texts, stored, labels)
                show_table([f"{title}, average precision", *WAYS, "chance"], table)
                continue
            stored, classes = with_classes(stored, labels)
            rows += compare(f"{folder.name}, text to image", texts, stored, np.array(names), classes)
            if len(classes) >= 2 * len(names):
                rows += compare(f"{folder.name}, image to image", stored, stored, classes, classes)
    if rows:
        show_table([title, "compared by", *(f"P@{cut}" for cut in CUTS)], rows)


if __name__ == "__main__":
    main()
