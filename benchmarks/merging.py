"""How should the answers to several queries be merged? Rules compared on folders of class folders.

A list of one text and one image of two classes: the share of the image's hits, in how many lists both classes are
found, and how many hits are of one of the two. A list of two queries of one class: how many hits are of that class. A
text for many classes and a negative query for one of them: how many hits are of that one, and of the others that were
meant. Distances are Hamming distances of the hash keys; the image that is asked with is left out.

    python benchmarks/merging.py FOLDER... [--model MODEL]

The last measurement is made for a folder that has the classes of CIFAR-10.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipdex.encoder import Encoder, find_model
from clipdex.search.calibration import fusion_scores, places, tail_scores, z_scores
from common import CLASSES, add_folders, class_folders, parse, show_command, show_table
from quality import Floats, embed_classes, embed_folder, signs

HITS = 20
HITS_OF_MANY = 50
MANY = {
    "an animal": ("bird", "cat", "deer", "dog", "frog", "horse"),
    "a vehicle": ("airplane", "automobile", "ship", "truck"),
}
Table = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]]
RULES: dict[str, Table] = {
    "distance": lambda counts: np.arange(len(counts)) / 1.0,
    "z-score": z_scores,
    "tail": tail_scores,
    "place": lambda counts: places(counts) / 1.0,
    "log of place": lambda counts: np.log(places(counts)),
    "reciprocal place": fusion_scores,
}


def costs(distances: Sequence[npt.NDArray[np.int64]], rule: str, bits: int) -> npt.NDArray[np.float64]:
    """Return what each distance to each query is worth, float64 ``[q, n]``."""
    return np.stack([RULES[rule](np.bincount(row, minlength=bits + 1))[row] for row in distances])


def best(cost: npt.NDArray[np.float64], number: int) -> npt.NDArray[np.intp]:
    """Return the items of lowest cost, in order."""
    return np.argsort(cost, kind="stable")[:number]


class Folder:
    """The hash keys of a folder as signs, its classes, and queries."""

    def __init__(self, folder: Path, encoder: Encoder, template: str) -> None:
        embeddings, self.classes = embed_folder(folder, encoder)
        self.signs = signs(embeddings)
        self.names = sorted(set(self.classes))
        self.texts = embed_classes(self.names, template, encoder)
        self.bits = self.signs.shape[1]

    def distances(self, query: Floats) -> npt.NDArray[np.int64]:
        """Return the Hamming distances of all items to an embedding, int64 ``[n]``."""
        return np.rint((self.bits - self.signs @ signs(query)) / 2).astype(np.int64)

    def of_class(self, rng: np.random.Generator, name: str, number: int) -> npt.NDArray[np.intp]:
        """Return different items of a class."""
        return rng.choice(np.flatnonzero(self.classes == name), number, replace=False)


def compare_mixed(data: Folder, lists: int) -> None:
    """Merge one text and one image of two classes by the best of both."""
    measured: dict[str, list[tuple[float, float, float]]] = {rule: [] for rule in RULES}
    rng = np.random.default_rng(0)
    for _ in range(lists):
        text, image = rng.choice(len(data.names), 2, replace=False)
        own = data.of_class(rng, data.names[image], 1)[0]
        rows = [np.delete(data.distances(query), own) for query in (data.texts[text], data.signs[own])]
        classes = np.delete(data.classes, own)
        for rule in RULES:
            cost = costs(rows, rule, data.bits)
            found = best(cost.min(axis=0), HITS)
            wanted = [classes[found] == data.names[number] for number in (text, image)]
            measured[rule].append(
                (cost.argmin(axis=0)[found].mean(), all(map(np.any, wanted)), np.any(wanted, axis=0).mean())
            )
    rows_out = [
        [rule, *(f"{value:.2f}" for value in np.mean(values, axis=0))]
        for rule, values in measured.items()
        if rule in ("distance", "z-score", "tail", "place")
    ]
    show_table([f"one text, one image, first {HITS}", "of the image", "both found", "right"], rows_out)


def compare_all(data: Folder, lists: int) -> None:
    """Merge two queries of one class by what is good for both."""
    ways: dict[str, list[list[float]]] = {}
    rng = np.random.default_rng(1)
    for _ in range(lists):
        number = int(rng.integers(len(data.names)))
        own = data.of_class(rng, data.names[number], 2)
        right = np.delete(data.classes, own) == data.names[number]
        text = np.delete(data.distances(data.texts[number]), own)
        images = [np.delete(data.distances(data.signs[one]), own) for one in own]
        scores: dict[str, list[float]] = {}
        for rows in ([text, images[0]], images):
            merged = {"the first query alone": rows[0] / 1.0, "the second query alone": rows[1] / 1.0}
            for rule in RULES:
                cost = costs(rows, rule, data.bits)
                merged[f"mean, {rule}"] = cost.mean(axis=0)
                merged[f"greatest, {rule}"] = cost.max(axis=0)
            merged["least place (any)"] = costs(rows, "place", data.bits).min(axis=0)
            for way, cost in merged.items():
                scores.setdefault(way, []).append(right[best(cost, HITS)].mean())
        for way, values in scores.items():
            ways.setdefault(way, []).append(values)
    rows_out = [[way, *(f"{value:.3f}" for value in np.mean(values, axis=0))] for way, values in ways.items()]
    show_table([f"two queries of one class, P@{HITS}", "text and image", "two images"], rows_out)


def compare_negative(data: Folder, encoder: Encoder) -> None:
    """Push one class away from what a text for many classes finds."""
    ways: dict[str, dict[str, list[tuple[float, float]]]] = {"text": {}, "image": {}}
    rng = np.random.default_rng(0)
    for many, names in MANY.items():
        wanted = data.distances(embed_classes([many], "a photo of {}", encoder)[0])
        for name in names:
            images = [data.signs[one] for one in data.of_class(rng, name, min(10, int((data.classes == name).sum())))]
            for kind, query in [("text", data.texts[data.names.index(name)]), *(("image", one) for one in images)]:
                merged = {"no negative query": wanted / 1.0}
                for rule in RULES:
                    if rule in ("place", "log of place"):
                        continue
                    own, other = costs([wanted, data.distances(query)], rule, data.bits)
                    merged[f"{rule}, difference"] = own - other
                    if rule in ("z-score", "tail"):
                        merged[f"{rule}, of what is nearer than the middle"] = own + np.maximum(0, -other)
                for way, cost in merged.items():
                    found = data.classes[best(cost, HITS_OF_MANY)]
                    shares = (found == name).mean(), (np.isin(found, names) & (found != name)).mean()
                    ways[kind].setdefault(way, []).append(shares)
    rows = [
        [way, *(f"{share:.3f}" for kind in ways for share in np.mean(ways[kind][way], axis=0))] for way in ways["text"]
    ]
    header = ["not text: unwanted", "other meant ones", "not image: unwanted", "other meant ones"]
    show_table([f"text for many classes, one of them negative, first {HITS_OF_MANY}", *header], rows)


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(parser)
    parser.add_argument("--model", help="name or folder of the model (default: the bundled one)")
    parser.add_argument("--template", default="a photo of a {}", help="query text for a class")
    parser.add_argument("--lists", type=int, default=400, help="how many lists of queries")
    arguments = parse(parser, lists=3)
    show_command()
    encoder = Encoder(find_model(arguments.model), many=True)
    with class_folders(arguments.folders) as folders:
        for folder in folders:
            data = Folder(folder, encoder, arguments.template)
            print(f"{folder.name}, {len(data.classes):,} images:\n")
            compare_mixed(data, arguments.lists)
            compare_all(data, arguments.lists)
            if set(CLASSES) <= set(data.names):
                compare_negative(data, encoder)


if __name__ == "__main__":
    main()
