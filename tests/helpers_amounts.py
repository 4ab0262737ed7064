"""How many cases the tests try that try many: usually, and in the long run before a release (``make test-long``)."""

from __future__ import annotations

import os
from typing import NamedTuple

LONG = os.environ.get("CLIPDEX_TESTS") == "long"


class Amount(NamedTuple):
    """A number for most runs, and one for the long run."""

    usual: int
    long: int

    @property
    def now(self) -> int:
        return self.long if LONG else self.usual


# Damaged and forged files of each kind, and forged item tables.
FUZZED_FILES = Amount(128, 1280)
FORGED_TABLES = Amount(60, 200)
# Writers that are killed after a random time; of all steps, every how many-th one a writer is killed at.
KILLS_AT_RANDOM = Amount(40, 200)
STEPS_APART = Amount(3, 1)
# Images of a build that is stopped in its middle, by a signal and by an error.
STOPPED_IMAGES = Amount(60, 300)
INTERRUPTED_IMAGES = Amount(20, 50)
# What hypothesis tries.
EXAMPLES = Amount(40, 100)
NEAREST_EXAMPLES = Amount(40, 120)
HISTORIES = Amount(8, 25)
MANIFEST_EXAMPLES = Amount(20, 60)
TABLE_EXAMPLES = Amount(20, 60)
# Texts whose tokens are compared.
TOKENIZED_TEXTS = Amount(1000, 4000)
# Layers of models with random weights.
LAYERS = Amount(1, 2)
# Layers and words of the CLIP that is otherwise a ViT-B/32 in its full size.
CLIP_LAYERS = Amount(1, 12)
CLIP_WORDS = Amount(1000, 49408)
# What a model that is added is centred with: photographs of each kind, and nouns.
CENTRING_PHOTOS = Amount(2, 100)
CENTRING_NOUNS = Amount(40, 400)
# Encoders that come and go, and rounds of threads that share one.
ENCODERS = Amount(6, 12)
ROUNDS = Amount(4, 12)
# Items of the grid in a browser, and leaps from place to place in it.
MADE_UP_ITEMS = Amount(40_000, 1_000_000)
LEAPS = Amount(60, 1000)
# Seconds that reading commands run beside a writer that commits all the time.
SECONDS_BESIDE_A_WRITER = Amount(2, 180)
