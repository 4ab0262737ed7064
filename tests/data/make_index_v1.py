"""How tests/data/index-v1 was made. Not run again: the point of it is that it stays as it is."""

from __future__ import annotations

import sys
from pathlib import Path

from clipdex_indexes import IndexWriter, ItemRow, ModelStamp


def key(number: int) -> bytes:
    return bytes((number * step + step) % 256 for step in range(1, 9))


def main(folder: Path) -> None:
    rows = [
        ItemRow(
            f"{place}{number}.jpg", subset, labels, 1000 + number, 1_700_000_000_000_000_000 + number, media, content
        )
        for number, (place, subset, labels, media, content) in enumerate(
            [
                ("", "default", (), "", 0),
                ("a/", "train", ("cat",), "", -5),
                ("a/", "train", ("cat", "dog"), "", 1 << 62),
                ("a/b c/", "val", ('"', "a, b"), "media/1.jpg", 7),
                ("é/", "val", ("猫",), "!/member.jpg", 8),
                ("é/", "test", (), "/elsewhere/é.png", 9),
            ]
        )
    ]
    rows = sorted(rows)
    with IndexWriter(folder) as writer:
        writer.start(
            ModelStamp("toy", "d" * 64, 64, "f32", "models/toy"), "folder", "clipdex 0.1.0", "", {"split": "1"}
        )
        writer.add((row, key(number)) for number, row in enumerate(rows))
        writer.commit()
    with IndexWriter(folder) as writer:
        for location, row in writer.base.items():
            if row.id.startswith("a/1"):
                writer.remove(location)
        writer.add([(ItemRow("z.jpg", "default", ("new",), 1, 2), key(99))])
        writer.commit()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
