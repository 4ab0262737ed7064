"""Small datasets of Pascal VOC, in the layouts that people have."""

from __future__ import annotations

from pathlib import Path

from clipdex.readers import ReadItem, UnreadableItem
from clipdex.readers.annotated.voc import VocReader
from helpers_engine import picture


def annotation(*names: str, filename: str = "", begin: str = "", end: str = "", **of_image: str) -> str:
    """An XML file as labelImg writes it."""
    head = "".join(f"\t<{tag}>{text}</{tag}>\n" for tag, text in {**of_image, "filename": filename}.items() if text)
    objects = "".join(
        f"\t<object>\n\t\t<name>{name}</name>\n\t\t<pose>Left</pose>\n\t\t<difficult>0</difficult>\n"
        "\t\t<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>\n\t</object>\n"
        for name in names
    )
    size = "\t<size><width>64</width><height>48</height><depth>3</depth></size>\n\t<segmented>0</segmented>\n"
    return f"{begin}<annotation>\n{head}{size}{objects}</annotation>{end}\n"


def voc(root: Path, files: dict[str, str | bytes | tuple[str, ...]]) -> Path:
    """Write a dataset: images by their extension, annotations by the names of their objects, other files as given."""
    for number, (name, content) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, tuple):
            path.write_text(annotation(*content), encoding="utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        elif content or path.suffix.lower() in (".txt", ".xml"):
            path.write_text(content, encoding="utf-8")
        else:
            kind = {"": "PNG", ".png": "PNG", ".bmp": "BMP"}.get(path.suffix.lower(), "JPEG")
            picture(number).save(path, format=kind)
    return root


def reading(root: Path, **options: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str], VocReader]:
    """Read a dataset: labels by subset and id, reasons of failures by id, and the reader."""
    reader = VocReader(root, options)
    read = list(reader.read())
    items = {f"{item.subset}/{item.id}": item.labels for item in read if isinstance(item, ReadItem)}
    failed = {item.id: item.reason for item in read if isinstance(item, UnreadableItem)}
    assert len(items) + len(failed) == len(read)
    for item in read:
        if isinstance(item, ReadItem):
            assert (root / (item.media or item.id)).is_file()
    return items, failed, reader


def problems(reader: VocReader) -> list[tuple[str, str]]:
    return [(problem.file, problem.sentence) for problem in reader.annotation_problems.named]
