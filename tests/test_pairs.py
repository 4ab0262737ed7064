"""All pairs within a distance, against comparing everything with everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipdex_indexes.kernels import pairs
from clipdex_indexes.kernels.pairs import PairSizes, Plan, make_plan, near_pairs, words_of
from helpers_index import DETERMINISTIC, POPCOUNT

PLANS = (Plan(0, 0, 0), Plan(9, 7, 0), Plan(5, 8, 1), Plan(3, 9, 2))


def flipped(key, bits):
    key = key.copy()
    for bit in bits:
        key[bit // 8] ^= 1 << (bit % 8)
    return key


def near_copies(keys, most, seed):
    """A copy of each key with up to ``most`` bits flipped."""
    rng = np.random.default_rng(seed)
    length = keys.shape[1] * 8
    return np.stack([flipped(key, rng.choice(length, rng.integers(0, most + 1), replace=False)) for key in keys])


def random_keys(number, length=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, length), np.uint8)


def oracle(keys, distance, live=None):
    """Brute force: pairs of distinct keys by the first of each, and of each first with its copies."""
    positions = np.arange(len(keys)) if live is None else np.flatnonzero(live)
    first = {}
    for position in positions.tolist():
        first.setdefault(keys[position].tobytes(), position)
    expected = {(first[keys[at].tobytes()], at, 0) for at in positions.tolist() if first[keys[at].tobytes()] != at}
    ordered = sorted(first.values())
    for number, one in enumerate(ordered):
        others = np.array(ordered[number + 1 :], np.int64)
        distances = POPCOUNT[keys[others] ^ keys[one]].sum(axis=1)
        expected |= {(one, int(o), int(d)) for o, d in zip(others, distances, strict=True) if d <= distance}
    return expected


def given_by(arrays, distance, live=None, **options):
    """What is yielded; each pair must come once, the lower position first."""
    triples = [
        triple
        for block in near_pairs(arrays, distance, live=live, **options)
        for triple in zip(block.first.tolist(), block.second.tolist(), block.distances.tolist(), strict=True)
    ]
    assert len(triples) == len(set(triples))
    assert all(one < other for one, other, _ in triples)
    return set(triples)


@pytest.fixture(params=PLANS, ids=str)
def way(request):
    """Each way of finding the pairs within 8 bits, whatever the planner would choose, in small blocks."""
    return {"plan": request.param, "sizes": PairSizes(block=100, long_run=12, tile=50)}


def test_pairs_of_random_keys_and_their_near_copies(way):
    keys = random_keys(300)
    keys = np.concatenate([keys, near_copies(keys, 12, 1)])
    expected = oracle(keys, 8)
    assert 100 < len(expected) < 300
    assert given_by([keys], 8, **way) == expected


def test_pairs_of_keys_that_are_alike_in_most_bits(way):
    """Long runs: most parts of all keys are equal."""
    keys = np.tile(random_keys(1), (250, 1))
    keys[:, :3] = random_keys(250, 3, seed=2)
    expected = oracle(keys, 8)
    assert len(expected) > 1000
    assert given_by([keys], 8, **way) == expected


def test_many_equal_keys_make_one_pair_each(way):
    keys = random_keys(400)
    keys[::2] = keys[1]
    keys[-40:] = near_copies(keys[:40], 10, 3)
    found = given_by([keys], 8, **way)
    assert found == oracle(keys, 8)
    assert len(found) < 400 + 40 * 2 + 40 * 39


def test_pairs_over_several_arrays_with_masks(way):
    keys = random_keys(200)
    keys = np.concatenate([keys, near_copies(keys, 12, 4), keys[:50]])
    live = np.random.default_rng(5).random(len(keys)) < 0.7
    arrays = np.split(keys, [0, 130, 290])
    masks = [None if not len(part) else part for part in np.split(live, [0, 130, 290])]
    found = given_by(arrays, 8, live=masks, **way)
    assert found == oracle(keys, 8, live)
    live[130:290] = True
    masks[2] = None
    assert given_by(arrays, 8, live=masks, **way) == oracle(keys, 8, live)


@pytest.mark.parametrize("distance", [0, 1, 3, 7, 16, 31, 40, 64, 128])
@pytest.mark.parametrize("length", [1, 5, 8, 16])
def test_every_distance_and_length_with_the_plan_that_is_chosen(distance, length):
    keys = random_keys(150, length, seed=distance)
    keys = np.concatenate([keys, near_copies(keys, min(distance + 3, length * 8), 6)])
    assert given_by([keys], distance) == oracle(keys, distance)


@DETERMINISTIC
@given(data=st.data(), distance=st.integers(0, 10), radius=st.integers(0, 2))
def test_pairs_of_few_and_many_distinct_keys_in_arrays_of_all_sizes(data, distance, radius):
    pool = data.draw(st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=12))
    chosen = data.draw(st.lists(st.sampled_from(pool), max_size=40))
    keys = np.frombuffer(b"".join(chosen), np.uint8).reshape(-1, 3)
    live = np.array(data.draw(st.lists(st.booleans(), min_size=len(keys), max_size=len(keys))), bool)
    cut = data.draw(st.integers(0, len(keys)))
    parts = distance // (radius + 1) + 1
    forced = Plan(parts, min(24 // parts, 6), radius)
    found = given_by(
        [keys[:cut], keys[cut:]],
        distance,
        live=[live[:cut], live[cut:]],
        plan=forced if forced.part_bits > radius else None,
        sizes=PairSizes(block=7, long_run=3, tile=2),
    )
    assert found == oracle(keys, distance, live)


def test_keys_that_are_mapped_from_a_file(tmp_path):
    keys = np.concatenate([random_keys(60), random_keys(60)])
    np.save(tmp_path / "keys.npy", keys)
    assert given_by([np.load(tmp_path / "keys.npy", mmap_mode="r")], 5) == oracle(keys, 5)


def test_blocks_are_bounded_where_pairs_are_many():
    """Nothing is collected: a block comes for each step, as it is taken."""
    sizes = PairSizes(block=64, tile=8)
    keys = np.tile(random_keys(1), (600, 1))
    keys[:, :2] = np.arange(600, dtype=">u2").view(np.uint8).reshape(-1, 2)
    blocks = near_pairs([keys], 128, sizes=sizes)
    assert max(len(next(blocks).first) for _ in range(200)) <= 64
    blocks.close()
    copies = [len(block.first) for block in near_pairs([np.zeros((1000, 8), np.uint8)], 0, sizes=sizes)]
    assert max(copies) <= 64
    assert sum(copies) == 999


def test_the_plan_follows_the_keys():
    spread = words_of([random_keys(50_000, 64)])
    assert make_plan(spread, 16).parts == 17
    assert make_plan(spread, 300) == Plan(0, 0, 0)
    alike = spread.copy()
    alike[:, :] = alike[0]
    alike[:, 0] = spread[:, 0]
    assert make_plan(alike, 16) == Plan(0, 0, 0)


def test_progress_goes_up_to_the_end(way):
    keys = random_keys(300)
    steps = []
    given_by([keys], 8, progress=steps.append, **way)
    assert steps == sorted(steps)
    assert steps[0] < 0.2
    assert steps[-1] == 1.0


def test_no_keys_and_one_key_make_no_pairs():
    assert given_by([], 3) == set()
    assert given_by([np.empty((0, 8), np.uint8)], 3) == set()
    assert given_by([random_keys(1)], 3) == set()
    assert given_by([random_keys(2)], 3, live=[np.zeros(2, bool)]) == set()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        next(near_pairs([random_keys(2)], -1))
    with pytest.raises(ValueError, match="not of one length"):
        next(near_pairs([random_keys(2, 8), random_keys(2, 16)], 1))
    with pytest.raises(ValueError, match="not of one length"):
        next(near_pairs([random_keys(2)], 1, live=[np.ones(3, bool)]))


def test_equal_keys_are_brought_together_where_different_ones_are_mixed_to_one_number():
    multiplier = int(pairs._MULTIPLIER)
    words = np.array([[0, multiplier], [1, 0], [0, multiplier], [1, 0], [2, 5]], np.uint64)
    keys = np.repeat(words, 3, axis=0).view(np.uint8)
    assert given_by([keys], 0) == oracle(keys, 0)
