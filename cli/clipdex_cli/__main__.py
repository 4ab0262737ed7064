"""Run the command line with ``python -m clipdex_cli``."""

from clipdex_cli.main import main

main()
