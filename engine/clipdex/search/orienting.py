"""Hash keys of images in other orientations, and what is near in any of them.

An index holds the hash keys of images as they are. A copy that was rotated or mirrored is found by hashing each image
in the seven other orientations, and comparing these hash keys with those of the index. Two items are near when a hash
key of the one, in some orientation, is near that of the other as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from clipdex.building.planning import ahead
from clipdex.encoder import Encoder, decode_to_hash, prepare
from clipdex.errors import ImageError, QueryError
from clipdex.media.contents import content_of
from clipdex.media.decoding import Pixels
from clipdex.media.locators import MEMBER
from clipdex.media.opening import open_media
from clipdex.media.orientations import ORIENTATIONS, oriented, oriented_sides
from clipdex.search.all_keys import AllKeys, Bools, Ints, Keys, Member
from clipdex.wording import counted
from clipdex_indexes.kernels.pairs import near_pairs

_OTHERS = range(1, len(ORIENTATIONS))
# So many images, after the first of all, show how long the others take.
_TRIED = 8


@dataclass(frozen=True, slots=True)
class OrientedKeys:
    """The hash keys of items in all orientations.

    Attributes
    ----------
    turned
        uint8 ``[7, n, bytes]``: the keys in the orientations 1 to 7, by position. An image that could not be read has
        its key of the index in all of them.
    unread
        Number of images that could not be read, or are not those that the index knows.
    """

    turned: Keys
    unread: int

    def of(self, upright: Keys, positions: Ints) -> Keys:
        """Return the keys of items in all orientations, uint8 ``[8, n, bytes]``, given those as they are."""
        return np.concatenate([upright[None], self.turned[:, positions]])

    def pairs(
        self, keys: AllKeys, live: Bools, distance: int, progress: Callable[[float], None]
    ) -> Iterator[tuple[Ints, Ints]]:
        """Yield pairs of positions that connect all items of which one is near the other in another orientation.

        Together with the pairs of equal hash keys of the index they connect what is near, and nothing else.
        """
        positions = np.flatnonzero(live)
        upright = keys.of(positions)
        for number, turned in enumerate(self.turned, start=1):
            for first, second in _crossing(upright, turned[positions], distance):
                yield positions[first], positions[second]
            progress(number / len(self.turned))


def hash_orientations(
    keys: AllKeys,
    encoder: Encoder,
    max_pixels: int,
    *,
    progress: Callable[[int, int], None],
    notice: Callable[[str], None],
) -> OrientedKeys:
    """Hash every image of an index in the other orientations; identical files once.

    Parameters
    ----------
    keys
        The items.
    encoder
        The model that made the keys.
    max_pixels
        Images of more pixels are not decoded.
    progress
        Called with the number of images that were hashed, and of all.
    notice
        Called with a sentence that says how long it will take, when the first images were hashed.

    Raises
    ------
    QueryError
        When no image can be read.
    """
    sizes, contents, live = keys.contents()
    positions = np.flatnonzero(live)
    # A content that is not known is like no other.
    own = np.where(contents[positions] == 0, positions + 1, 0)
    table = np.stack([contents[positions], sizes[positions], own])
    _, firsts, numbers = np.unique(table, axis=1, return_index=True, return_inverse=True)
    hashed = positions[firsts]
    places = np.empty(len(keys), np.int64)
    places[positions] = hashed[numbers.reshape(-1)]
    upright = keys.of(np.arange(len(keys)))
    turned = np.broadcast_to(upright, (len(_OTHERS), *upright.shape)).copy()
    unread: list[ImageError] = []

    def read(member: Member) -> list[Pixels]:
        dataset = keys.datasets[member.dataset]
        where = dataset.media(member.row)
        if dataset.lost and MEMBER in where:
            raise ImageError("no such file")
        with open_media(where) as file:
            content, image = content_of(file)
            if member.row.content and content != member.row.content:
                raise ImageError("the file has changed since the build")
            settings = encoder.model.image
            decoded = decode_to_hash(image, settings, max_pixels)
        return [
            prepare(oriented(decoded.image, number), settings, oriented_sides(decoded.beyond, number))
            for number in _OTHERS
        ]

    def pixels() -> Iterator[tuple[tuple[int, int], Pixels]]:
        members = (member for block in keys.blocks(hashed) for member in block)
        for member, result in ahead(members, read):
            if isinstance(result, ImageError):
                unread.append(result)
                continue
            for number, one in enumerate(result):
                yield (number, member.position), one

    progress(0, len(hashed))
    done, begin = 0, 0.0
    for (number, position), key in encoder.image_keys(pixels()):
        turned[number, position] = key
        if number != len(_OTHERS) - 1:
            continue
        done += 1
        progress(done, len(hashed))
        begin = begin or time.monotonic()
        if done == _TRIED + 1 < len(hashed):
            rate = _TRIED / max(time.monotonic() - begin, 1e-6)
            notice(_estimate(len(hashed), rate))
    if len(hashed) and not done:
        raise QueryError(
            f"transforms hash the images again, and none of the {len(hashed):,} can be read: {unread[0].message}."
        )
    turned[:, positions] = turned[:, places[positions]]
    return OrientedKeys(turned, len(unread))


def _estimate(images: int, rate: float) -> str:
    minutes = images / rate / 60
    about = f"{round(minutes):,} minutes" if minutes >= 1.5 else f"{max(1, round(60 * minutes)):,} seconds"
    return (
        f"{counted(images, 'image')} to hash in {len(_OTHERS)} more orientations: about {about}, at {rate:,.1f} images "
        "a second. Ctrl-C stops it."
    )


def _crossing(upright: Keys, turned: Keys, distance: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of rows: an upright key, and a turned one within the distance of it.

    Of equal upright keys only the first row is given, with every row whose turned key is near.
    """
    number, width = upright.shape
    both = np.ascontiguousarray(np.concatenate([upright, turned]))
    distinct, codes = np.unique(both.view(f"V{width}").reshape(-1), return_inverse=True)
    first_upright = np.full(len(distinct), -1, np.int64)
    first_upright[codes[:number][::-1]] = np.arange(number)[::-1]
    by_code = np.argsort(codes[number:], kind="stable")
    counts = np.bincount(codes[number:], minlength=len(distinct))
    starts = np.cumsum(counts) - counts

    def expanded(one: Ints, other: Ints) -> tuple[Ints, Ints]:
        there = first_upright[one] >= 0
        one, other = one[there], other[there]
        many = counts[other]
        offsets = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
        return np.repeat(first_upright[one], many), by_code[np.repeat(starts[other], many) + offsets]

    same = np.arange(len(distinct))
    yield expanded(same, same)
    for block in near_pairs([distinct.view(np.uint8).reshape(len(distinct), width)], distance):
        yield expanded(block.first, block.second)
        yield expanded(block.second, block.first)
