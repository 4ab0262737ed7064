"""The program ``clipdex``, also as ``python -m clipdex_cli``."""

from __future__ import annotations

import sys
from typing import NoReturn


def start() -> NoReturn:
    """Run the command line; Ctrl-C while it is still being imported ends it without a traceback."""
    try:
        from clipdex_cli.main import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    start()
