"""The program ``clipdex``, also as ``python -m clipdex_cli``."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from typing import NoReturn


def start() -> NoReturn:
    """Run the command line; Ctrl-C while it is still being imported ends it without a traceback."""
    # What is imported stays. Python would look through it for garbage whenever there are 700 more objects.
    gc.set_threshold(20_000)
    try:
        from clipdex_cli.main import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        leave(130)
    except SystemExit as stop:
        leave(stop.code)


def leave(code: object) -> NoReturn:
    """End the process, and let the system free its memory at once.

    Python, NumPy and OpenVINO would free it piece by piece, which takes longer than answering a query. As always at the
    end, threads of others are waited for, and what was registered with ``atexit`` is done.
    """
    others = [thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()]
    is_watched = sys.getprofile() or sys.gettrace() or sys.flags.inspect
    if others or is_watched or not isinstance(code, int):
        sys.exit(code)  # type: ignore[arg-type]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def _leave_the_current_folder() -> None:
    """Import nothing from the current folder, which ``python -m`` puts first: it may be that of a stranger."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()) and os.getcwd() != own:  # noqa: PTH109
        del sys.path[0]


if __name__ == "__main__":
    _leave_the_current_folder()
    start()
