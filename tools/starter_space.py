"""The common space of the two towers of ``starter``, made out of names alone. Arrays only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from starter_words import CLASSES, kinds_of_classes, mixtures

Floats = npt.NDArray[np.float32]
Embed = Callable[[list[str]], Floats]

DIMENSIONS = 512
PROMPT = "a photo of a {}"
ENSEMBLE = ["a photo of a {}", "{}", "a picture of a {}", "a close-up photo of a {}"]
SEED = 2
# Words.
KIND_WEIGHT = 0.3
WHITENING = 0.35
RIDGE = 0.3
# Classes: the weight of this part, how fast a name that is not near fades, the same for an everyday word, and the
# weight of everyday words.
CLASS_WEIGHT = 0.8
NAME_FALL = 8.0
WORD_FALL = 12.0
WORD_WEIGHT = 2.0
# People: the weight of this part in texts, and how near to a word for people a text asks for people and nothing less.
ASKED_WEIGHT = 2.0
ASKED = 0.5


@dataclass(frozen=True)
class Space:
    """What is computed behind the two networks. ``d`` is the size of a text embedding.

    Attributes
    ----------
    words
        The point of each class among the words, ``[CLASSES, d]``.
    whitener
        From a text embedding to a point among the words, ``[d, d]``.
    words_of_images, words_of_texts
        What is taken off a point among the words, ``[d]``.
    names
        Unit embeddings of the names of the classes, ``[CLASSES, d]``.
    everyday
        Unit embeddings of the everyday words, ``[words, d]``.
    mixtures
        What each everyday word stands for, ``[words, CLASSES + 1]``.
    classes_of_images, classes_of_texts
        What is taken off the unit vector over the classes, ``[CLASSES]``.
    rotation
        From the three parts side by side to an embedding, ``[d + CLASSES + 1, DIMENSIONS]``, orthonormal columns.
    """

    words: Floats
    whitener: Floats
    words_of_images: Floats
    words_of_texts: Floats
    names: Floats
    everyday: Floats
    mixtures: Floats
    classes_of_images: Floats
    classes_of_texts: Floats
    rotation: Floats


def make_space(embed: Embed, curated: list[str], original: list[list[str]]) -> Space:
    """Make the common space.

    Parameters
    ----------
    embed
        Turns texts into unit vectors, one a row.
    curated
        Curated names of the classes.
    original
        Original names of the classes, the usual one first.
    """

    def mean(names: list[str]) -> Floats:
        return embed([prompt.format(name) for name in names for prompt in ENSEMBLE]).mean(0)

    own, groups, texts = [], [], []
    for name, synonyms in zip(curated, original, strict=True):
        own.append((mean([name]) + mean(synonyms[:1]) + mean(synonyms)) / 3)
        names = list(dict.fromkeys([name, *synonyms]))
        groups.append(embed([prompt.format(name) for name in names for prompt in ENSEMBLE]))
        texts += [PROMPT.format(name) for name in [name, *synonyms]]
    kinds = [mean(kinds or [name]) for name, kinds in zip(curated, kinds_of_classes(), strict=True)]
    white = _whitener(groups)
    points = (np.array(own) + KIND_WEIGHT * np.array(kinds)) / (1 + KIND_WEIGHT) @ white
    everyday, mixed = mixtures()
    flat = Space(
        words=points,
        whitener=white,
        words_of_images=points.mean(0),
        words_of_texts=(embed(texts) @ white).mean(0),
        names=unit(np.array(own)),
        everyday=unit(np.array([mean([word]) for word in everyday])),
        mixtures=mixed,
        classes_of_images=np.zeros(CLASSES, np.float32),
        classes_of_texts=np.zeros(CLASSES, np.float32),
        rotation=np.zeros((0, 0), np.float32),
    )
    usual = _over_classes(flat, embed([PROMPT.format(name) for name in curated])).mean(0)
    # No image is used, and an image may show any class: what is usual for images is the same for each class.
    centred = {"classes_of_images": np.full(CLASSES, usual.mean()), "classes_of_texts": usual}
    level = Space(**{**flat.__dict__, **centred})
    prompted = [PROMPT.format(name) for name in [*curated, *everyday]]
    return Space(**{**level.__dict__, "rotation": _rotation(parts_of_texts(level, embed(prompted)))})


def unit(vectors: Floats) -> Floats:
    """Scale rows to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def parts_of_texts(space: Space, embeddings: Floats) -> Floats:
    """Compute the three parts for unit embeddings of texts: ``[n, d]`` to ``[n, d + CLASSES + 1]``."""
    words = unit(embeddings @ space.whitener - space.words_of_texts)
    classes = CLASS_WEIGHT * (_over_classes(space, embeddings) - space.classes_of_texts)
    near = np.exp(WORD_FALL * (embeddings @ space.everyday.T - 1))
    people = np.minimum(1, (near * space.mixtures[:, CLASSES]).max(1, keepdims=True) / ASKED)
    return np.concatenate([words, classes, ASKED_WEIGHT * people], 1)


def _over_classes(space: Space, embeddings: Floats) -> Floats:
    names = np.exp(NAME_FALL * (embeddings @ space.names.T - 1))
    everyday = np.exp(WORD_FALL * (embeddings @ space.everyday.T - 1))
    return unit(names + WORD_WEIGHT * everyday @ space.mixtures[:, :CLASSES])


def _whitener(groups: list[Floats]) -> Floats:
    """Make the matrix that partly whitens the space of texts.

    ``groups`` holds for each class the embeddings of its names in every prompt, one a row.
    """
    within = np.concatenate([group - group.mean(0) for group in groups])
    scatter = [within.T @ within, np.cov(np.array([group.mean(0) for group in groups]).T)]
    values, vectors = np.linalg.eigh(sum(each / np.trace(each) for each in scatter))
    return (vectors * (values + RIDGE * values.mean()) ** -WHITENING) @ vectors.T


def _rotation(parts: Floats) -> Floats:
    """Turn the directions in which texts differ most into as many directions that are all alike.

    The part of people, the last column, is a direction of its own, so that nothing of it is lost.
    """
    rest = parts[:, :-1].astype(np.float64)
    _, vectors = np.linalg.eigh(rest.T @ rest)
    kept = np.zeros((parts.shape[1], DIMENSIONS))
    kept[:-1, 1:] = vectors[:, :-DIMENSIONS:-1]
    kept[-1, 0] = 1
    basis, upper = np.linalg.qr(np.random.default_rng(SEED).standard_normal((DIMENSIONS, DIMENSIONS)))
    return (kept @ (basis * np.sign(np.diag(upper)))).astype(np.float32)
