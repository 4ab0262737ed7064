from __future__ import annotations

import subprocess
import sys

from helpers_engine import REPOSITORY


def test_the_reference_of_the_command_line_is_up_to_date():
    script = REPOSITORY / "tools" / "make_cli_reference.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
