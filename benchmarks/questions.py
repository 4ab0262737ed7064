"""What does a model answer to everyday questions about the example photographs? The first three hits of each.

python benchmarks/questions.py [--model MODEL] [--photos FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from clipdex.encoder import Encoder, find_model, prepare
from clipdex.encoder.texts import prompted
from clipdex.media.decoding import load_image
from clipdex.readers import FolderReader, ReadItem
from common import ROOT, parse, show_command, show_table

QUESTIONS = (
    "a person",
    "people",
    "a man",
    "a woman",
    "a face",
    "a portrait",
    "a photographer",
    "a dog",
    "a cat",
    "a pet",
    "an animal in Africa",
    "farm animals",
    "a bird",
    "an insect on a flower",
    "flowers",
    "fruit",
    "something to drink",
    "breakfast",
    "a car",
    "a bicycle",
    "a train",
    "an aeroplane",
    "boats on the water",
    "a city",
    "a building",
    "a bridge",
    "the sea",
    "mountains",
    "a forest",
    "furniture",
)
FIRST = 3


def main() -> None:
    """Ask, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="name or folder of the model (default: the bundled one)")
    parser.add_argument("--photos", type=Path, default=ROOT / "examples" / "photos", help="a folder of images")
    parser.set_defaults(questions=QUESTIONS)
    arguments = parse(parser, questions=QUESTIONS[:2])
    show_command()
    encoder = Encoder(find_model(arguments.model), many=True)
    settings = encoder.model.image
    reader = FolderReader(arguments.photos)
    ids = [item.id for item in reader.read() if isinstance(item, ReadItem)]
    pixels = ((None, prepare(load_image(reader.root / item, settings.background), settings)) for item in ids)
    bits = np.array([embedding > encoder.image_centre for _, embedding in encoder.image_embeddings(pixels)])
    rows = []
    for question in arguments.questions:
        text = encoder.text_embedding(prompted(question, encoder.model.text)[0])
        distances = (bits != (text > encoder.text_centre)).sum(1)
        first = np.argsort(distances, kind="stable")[:FIRST]
        rows.append([question, *(f"{Path(ids[number]).stem} {distances[number]}" for number in first)])
    show_table([f"question, {encoder.model.name}", *(f"hit {rank}" for rank in range(1, FIRST + 1))], rows)


if __name__ == "__main__":
    main()
