"""The background of a model: how near its keys are where nothing fits.

A background is a file in the model folder, beside those that ``model.json`` describes, because hash keys do not depend
on it: making it anew changes no digest. It names the digest of the model that it is of, and is read without a tower.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clipdex.encoder.model import Model
from clipdex.errors import IndexCorrupt, ModelCorrupt
from clipdex_indexes.storage.files import read_text

BACKGROUND = "background.json"
KINDS = ("text", "image")
SCHEMA = 1
_MAX_BYTES = 16 << 20
_MAX_PHOTOS = 10_000
_MAX_PAIRS = 1 << 40

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """What distances say nothing.

    Attributes
    ----------
    photos
        Hash keys of photographs of many things, uint8 ``[n, bits / 8]``: a query is near to few of them.
    pairs
        For ``text`` and ``image``: the number of pairs of such a query and a photograph by how many bits they are
        nearer than the median photograph of the query, int64 ``[2 * bits + 1]``, from ``-bits`` on.
    """

    photos: Keys
    pairs: Mapping[str, Ints]

    def median(self, key: Keys) -> int:
        """Return the (lower) median distance of a query to the photographs, in bits."""
        return _lower_median(_distances(self.photos, key))


def background_of(photos: Keys, groups: Sequence[str], texts: Keys) -> Background:
    """Return the background that photographs and texts make.

    Parameters
    ----------
    photos
        Hash keys of photographs, uint8 ``[n, bits / 8]``.
    groups
        What each shows, in a word: those of one group may fit each other, so only pairs of different groups count. At
        least two groups.
    texts
        Hash keys of texts, uint8 ``[m, bits / 8]``, each of which fits few of the photographs.
    """
    bits = 8 * photos.shape[1]
    members = np.array(groups)
    nearer: dict[str, list[Ints]] = {kind: [] for kind in KINDS}
    for key in texts:
        distances = _distances(photos, key)
        nearer["text"].append(_lower_median(distances) - distances)
    for number, key in enumerate(photos):
        distances = _distances(photos, key)
        median = _lower_median(np.delete(distances, number))
        nearer["image"].append(median - distances[members != members[number]])
    pairs = {kind: np.bincount(np.concatenate(rows) + bits, minlength=2 * bits + 1) for kind, rows in nearer.items()}
    return Background(photos, pairs)


def _distances(keys: Keys, key: Keys) -> Ints:
    distances: Ints = np.bitwise_count(keys ^ key).sum(axis=1, dtype=np.int64)
    return distances


def _lower_median(distances: Ints) -> int:
    return int(np.sort(distances)[(len(distances) - 1) // 2])


def write_background(model: Model, background: Background) -> Path:
    """Write the background of a model into its folder; return the file."""
    bits = model.embedding_size
    body = {
        "schema": SCHEMA,
        "model_digest": model.digest,
        "photos": [key.tobytes().hex() for key in background.photos],
        "pairs": {
            kind: {str(at - bits): int(counts[at]) for at in np.flatnonzero(counts)}
            for kind, counts in background.pairs.items()
        },
    }
    path = model.folder / BACKGROUND
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    return path


def read_background(model: Model) -> Background | None:
    """Read the background of a model; None where its folder has none, or that of another version of the model.

    Raises
    ------
    ModelCorrupt
        When the file is damaged.
    """
    path = model.folder / BACKGROUND
    try:
        body = json.loads(read_text(path, _MAX_BYTES))
        if body["schema"] != SCHEMA:
            raise ValueError(f"its schema is {body['schema']!r}, and this clipdex reads schema {SCHEMA}")
        if body["model_digest"] != model.digest:
            return None
        return Background(
            _photos(body["photos"], model.embedding_size),
            {kind: _counts(body["pairs"][kind], model.embedding_size) for kind in KINDS},
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error.strerror or error}.") from error
    except IndexCorrupt as error:
        raise ModelCorrupt(f"the background of a model cannot be read: {error}") from error
    except KeyError as error:
        raise ModelCorrupt(f"{path} does not say {error}.") from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelCorrupt(f"{path} is not the background of a model: {error}.") from error


def _photos(values: Any, bits: int) -> Keys:  # noqa: ANN401
    keys = [bytes.fromhex(value) for value in values[: _MAX_PHOTOS + 1]]
    if not 2 <= len(keys) <= _MAX_PHOTOS or any(len(key) != bits // 8 for key in keys):
        raise ValueError(f"it does not hold 2 to {_MAX_PHOTOS} hash keys of {bits} bits")
    return np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1)


def _counts(values: dict[str, Any], bits: int) -> Ints:
    counts = np.zeros(2 * bits + 1, np.int64)
    for bits_nearer, count in values.items():
        at = int(bits_nearer) + bits
        if not 0 <= at < len(counts) or type(count) is not int or not 0 <= count <= _MAX_PAIRS:
            raise ValueError(f"{count!r} pairs at {bits_nearer!r} bits cannot be")
        counts[at] = count
    if not counts.any():
        raise ValueError("it counts no pairs")
    return counts
