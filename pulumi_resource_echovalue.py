# SPDX-License-Identifier: BSD-2-Clause
"""The program pulumi-resource-echovalue, which the engine starts; apart from the package, so that a
broken environment is reported in one line.
"""

import sys


def main() -> None:
    """Serve the provider to the engine whose address is the last argument; flags may precede it."""
    try:
        from pulumi_echovalue.plugin.provider import serve
    except Exception as error:  # noqa: BLE001 - whatever is broken
        sys.exit(
            f"pulumi-resource-echovalue cannot start ({type(error).__name__}: {error}). "
            f"Reinstall pulumi-echovalue in {sys.prefix}."
        )
    if len(sys.argv) < 2:
        sys.exit(
            "The Pulumi engine starts this program. To install it: python -m pulumi_echovalue.plugin install"
        )
    serve(sys.argv[-1])


if __name__ == "__main__":
    main()
