"""How often does the strength of the best hit tell a find from noise? On labelled folders, with texts and images.

``there``: a text asks for a class that is in the index, or an image for others of its classes; such answers should not
be weak. ``removed``: all images of the class were taken out of the index, and the answer should be weak. What is left
may still be like it: without the cats, a dog is a fair answer to "cat". ``kin removed``: the tenth of the other classes
with the nearest names (by their hash keys) was taken out, too. The index is searched by brute force, and the strength
is that of the product, from its own background.

The last table compares rules for how many independent draws n images are worth: n, the root of n (up to 4,000
images), 1. For each rule the limit is put where 90 % of the answers to texts for removed classes with their kin are
weak, over all folders together: how many answers are rightly not weak then, and how even are
the folders?

    python benchmarks/strength.py FOLDER... [--model MODEL]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clipdex.defaults import STRENGTHS, STRONG, WEAK
from clipdex.encoder import Encoder, find_model
from clipdex.encoder.background import Background, read_background
from clipdex.search.strength import chances, strength_of
from clipdex_indexes.kernels.distances import distances_to
from common import add_folders, class_folders, parse, show_bar, show_command, show_table
from quality import Floats, Labels, embed_classes, embed_dataset

Keys = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
THERE, REMOVED, KIN = SITUATIONS = ("there", "removed", "kin removed")
RULES: dict[str, Callable[[float], float]] = {"n": lambda n: n, "root of n": lambda n: n**0.5, "1": lambda _: 1.0}
IMAGES = 200
SEED = 0


class Answer(NamedTuple):
    """The best hit of one query: its chance by each rule, as the product gives it and as the rules would."""

    chance: float
    by_rule: dict[str, float]


def keys_of(embeddings: Floats) -> Keys:
    """Return the hash keys of centred embeddings."""
    return np.packbits(embeddings > 0, axis=1)


class Folder:
    """The keys of a labelled folder, and which images are of each class or of its kin."""

    def __init__(self, stored: Floats, labels: Labels, names: list[str], texts: Floats) -> None:
        self.keys, self.texts = keys_of(stored), keys_of(texts)
        self.of_class = np.array([[name in image for name in names] for image in labels])
        between = distances_to(self.texts, self.texts)
        number = 1 + max(1, round(len(names) / 10))
        self.kin = np.argsort(between, axis=1, kind="stable")[:, :number]

    def situations(self, classes: npt.NDArray[np.intp], but: int | None) -> dict[str, Bools]:
        """Return which images are in the index in each situation of a query for some classes."""
        kin = np.unique(self.kin[classes])
        index = {
            THERE: np.ones(len(self.keys), bool),
            REMOVED: ~self.of_class[:, classes].any(axis=1),
            KIN: ~self.of_class[:, kin].any(axis=1) & ~self.of_class[:, classes].any(axis=1),
        }
        if but is not None:
            for mask in index.values():
                mask[but] = False
        return index


def best_of(background: Background, key: Keys, kind: str, keys: Keys) -> Answer:
    """Return the best hit of a query among keys."""
    distance = int(distances_to(keys, key[None]).min())
    chance = float(chances(background, key, kind, len(keys))[distance])
    single = float(chances(background, key, kind, 1)[distance])
    return Answer(chance, {name: -np.expm1(rule(len(keys)) * np.log1p(-single)) for name, rule in RULES.items()})


def ask(folder: Folder, background: Background, kind: str, most: int) -> dict[str, list[Answer]]:
    """Return the best hits of all texts, or of some images, in each situation."""
    answers: dict[str, list[Answer]] = {situation: [] for situation in SITUATIONS}
    if kind == "text":
        asked = [(key, np.array([number]), None) for number, key in enumerate(folder.texts)]
    else:
        order = np.random.default_rng(SEED).permutation(len(folder.keys))
        shared = [number for number in order if _has_another(folder.of_class, number)][:most]
        asked = [(folder.keys[number], np.flatnonzero(folder.of_class[number]), int(number)) for number in shared]
    for key, classes, but in asked:
        for situation, mask in folder.situations(classes, but).items():
            if mask.any():
                answers[situation].append(best_of(background, key, kind, folder.keys[mask]))
    return answers


def _has_another(of_class: Bools, number: int) -> bool:
    """Tell whether another image has a class of an image."""
    return int((of_class & of_class[number]).any(axis=1).sum()) > 1


def share(answers: list[Answer], strengths: tuple[str, ...]) -> float:
    """Return the share of answers that have one of these strengths."""
    return float(np.mean([strength_of(one.chance) in strengths for one in answers])) if answers else 0.0


def compare_rules(folders: list[dict[str, list[Answer]]]) -> list[list[str]]:
    """Return rows of the table of rules, for the answers of each folder."""
    rows = []
    for name in RULES:
        chance = {
            situation: [np.array([one.by_rule[name] for one in answers[situation]]) for answers in folders]
            for situation in (THERE, KIN)
        }
        limit = np.quantile(np.concatenate(chance[KIN]), 0.1)
        kept = [float((found < limit).mean()) for found in chance[THERE]]
        weak = [float((found >= limit).mean()) for found in chance[KIN]]
        all_kept = float((np.concatenate(chance[THERE]) < limit).mean())
        rows.append([name, f"{all_kept:.2f}", f"{min(kept):.2f}", f"{min(weak):.2f}", f"{limit:.2g}"])
    return rows


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(parser)
    parser.add_argument("--model", help="name or folder of the model (default: the bundled one)")
    parser.add_argument("--template", default="a photo of a {}", help="query text for a class")
    parser.set_defaults(images=IMAGES)
    arguments = parse(parser, images=10)
    show_command()
    encoder = Encoder(find_model(arguments.model), many=True)
    background = read_background(encoder.model)
    if background is None:
        raise SystemExit(f"{encoder.model.name} has no background: run tools/make_background.py")
    rows = []
    every: dict[str, dict[str, list[Answer]]] = {
        kind: {situation: [] for situation in SITUATIONS} for kind in ("text", "image")
    }
    by_folder = []
    with class_folders(arguments.folders) as folders:
        for path in folders:
            stored, labels = embed_dataset(path, encoder)
            names = sorted({label for image in labels for label in image})
            folder = Folder(stored, labels, names, embed_classes(names, arguments.template, encoder))
            for kind in every:
                answers = ask(folder, background, kind, arguments.images)
                if kind == "text":
                    by_folder.append(answers)
                for situation, found in answers.items():
                    every[kind][situation] += found
                if answers[THERE]:
                    rows.append([f"{path.name}, {kind}", len(labels), *shares(answers)])
    for kind, answers in every.items():
        if answers[THERE]:
            rows.append([f"all, {kind}", "", *shares(answers)])
    title = f"best hits by {encoder.model.name}"
    header = ["there: not weak", "there: strong", "removed: weak", "kin removed: weak", "kin removed: not strong"]
    show_table([title, "images", *header], rows)
    for kind, answers in every.items():
        if answers[THERE]:
            show_bar(
                f"{kind}: there, not weak",
                share(answers[THERE], STRENGTHS[1:]),
                0.85,
                at_most=False,
                unit="of the answers",
            )
            show_bar(
                f"{kind}: kin removed, weak", share(answers[KIN], (WEAK,)), 0.9, at_most=False, unit="of the answers"
            )
    header = ["there: not weak", "fewest in a folder", "kin removed: fewest weak in a folder", "limit"]
    show_table(["text, n images are worth", *header], compare_rules(by_folder))


def shares(answers: dict[str, list[Answer]]) -> list[str]:
    """Return the cells of a row."""
    cells = [
        share(answers[THERE], STRENGTHS[1:]),
        share(answers[THERE], (STRONG,)),
        share(answers[REMOVED], (WEAK,)),
        share(answers[KIN], (WEAK,)),
        share(answers[KIN], STRENGTHS[:-1]),
    ]
    return [f"{cell:.2f}" for cell in cells]


if __name__ == "__main__":
    main()
