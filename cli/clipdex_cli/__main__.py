"""The program ``clipdex``, also as ``python -m clipdex_cli``."""

from __future__ import annotations

import os
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


def _leave_the_current_folder() -> None:
    """Import nothing from the current folder, which ``python -m`` puts first: it may be that of a stranger."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()) and os.getcwd() != own:  # noqa: PTH109
        del sys.path[0]


if __name__ == "__main__":
    _leave_the_current_folder()
    start()
