"""The program ``clipdex``: its commands, and what happens to errors."""

from __future__ import annotations

import os
import sys
import warnings
from typing import NoReturn

import click

from clipdex import __version__
from clipdex_cli.lazy import LazyGroup
from clipdex_cli.printing import complain, guard_standard_error, say
from clipdex_cli.stopping import INTERRUPTED


@click.group(
    cls=LazyGroup,
    package="clipdex_cli.commands",
    summaries={
        "build": "Hash the images of each TARGET into an index.",
        "query": "Show the images nearest to texts, images or items.",
        "explore": "Build the indexes where needed, then query them.",
        "view": "Look at datasets and search them in a browser.",
        "duplicates": "Find images that are the same, or nearly the same.",
        "map": "Draw a map on which like images are near each other.",
        "save": "Save the last result as pictures and JSON, or as a page.",
        "tag": "Give images tags of your own, and find them by tag.",
        "info": "Show what an index holds and whether it is up to date.",
        "merge": "Make one index of several, without hashing again.",
        "verify": "Check every byte of an index.",
        "optimize": "Merge the segments of an index into one.",
        "project": "Name datasets, search them as one, and repeat queries.",
        "export": "Write hash keys to a file that other programs read.",
        "import-hash-keys": "Make an index from the hash keys in a file.",
        "serve": "Serve the page and the HTTP API of datasets.",
        "mcp": "Let an assistant search datasets, over MCP.",
        "formats": "List the dataset formats that clipdex can read.",
        "model": "List, install, check and measure models.",
        "help": "Show the help of a command.",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="clipdex", message="%(prog)s %(version)s")
def cli() -> None:
    """Find images like this one, or like these words, in folders of images.

    \b
    clipdex build PHOTOS                       hash every image, once
    clipdex query PHOTOS --text "a dog"        show the 50 nearest images
    clipdex query PHOTOS --image cat.jpg -s    save the nearest as pictures
    """


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 the work failed, 2 usage, 130 interrupted (143: by SIGTERM)."""
    # OpenVINO imports its model converter, and with it a telemetry client, where it can. Models are converted without.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
    # Pillow warns of damaged metadata; what cannot be decoded is reported by us, with the name of its file.
    warnings.filterwarnings("ignore", module="PIL")
    guard_standard_error()
    code = run(sys.argv[1:])
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # What could not be written is still in the buffer: keep Python from trying again on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command line with these arguments and return the exit code."""
    from clipdex.errors import ClipdexError

    if "_CLIPDEX_COMPLETE" in os.environ:
        from clipdex_cli.completing import complete

        return complete(cli)
    try:
        if sys.stdout is None:
            raise OSError("the standard output is closed; give it somewhere to go.")
        result = cli.main(arguments, prog_name="clipdex", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        complain(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        say("", "Interrupted. What was finished stays; what was not is as it was before.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as head, has gone: not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ClipdexError as error:
        say(f"clipdex: {error.message}")
        return error.exit_code
    except OSError as error:
        why = str(error) if _is_somewhere() else "the current folder is not there any more: go to another one."
        say(f"clipdex: {why}")
        return ClipdexError.exit_code


def _is_somewhere() -> bool:
    """Tell whether the current folder is there."""
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        return False
    return True
