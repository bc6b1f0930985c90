# SPDX-License-Identifier: BSD-2-Clause
"""Build the named sets of programs; say nothing when they are up to date."""

import argparse
import sys

from tools.engine.build import SETS, EngineError, tool_path


def main() -> int:
    """Run the command line."""
    known = ", ".join(SETS)
    parser = argparse.ArgumentParser(prog="python -m tools.engine", description=__doc__)
    parser.add_argument("sets", nargs="+", choices=SETS, metavar="SET", help=f"one of: {known}")
    parser.add_argument("--path", action="store_true", help="print the folders, to put on PATH")
    options = parser.parse_args()
    try:
        path = tool_path(*options.sets)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1
    if options.path:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
