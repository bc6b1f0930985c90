# SPDX-License-Identifier: BSD-2-Clause
"""Run first in the self-contained provider: what it starts, such as sops, gets the user's environment, and
does not take the libraries in here for its own.
"""

import os

for _name in ("DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH"):
    os.environ.pop(_name, None)
    if _original := os.environ.pop(f"{_name}_ORIG", ""):
        os.environ[_name] = _original
for _name in [_name for _name in os.environ if _name.startswith("_PYI_")]:
    del os.environ[_name]
