"""Make the background of a model: what says how sure an answer is (docs/why/strength.md).

    python tools/make_background.py [MODEL_FOLDER]

Run it after the bundled model was made anew. The digest of the model stays as it is, so no index has to be built again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from clipdex.encoder.background import BACKGROUND
from clipdex.encoder.model import BUNDLED_FOLDER, read_model
from clipdex.models.conversion.assembling import add_background


def main() -> None:
    """Read the command line, and write the file into the model folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=BUNDLED_FOLDER, help="(default: the bundled model)")
    model = read_model(parser.parse_args().folder)
    add_background(model, lambda what, done, total: None)
    path = model.folder / BACKGROUND
    print(f"{path}: {path.stat().st_size} bytes, for {model.name} {model.digest[:12]}")


if __name__ == "__main__":
    main()
