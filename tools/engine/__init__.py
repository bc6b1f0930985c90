# SPDX-License-Identifier: BSD-2-Clause
"""Real programs for the tests: built once from pinned Go modules, started when a test asks.

    python -m tools.engine pulumi kubernetes

builds what is named. In a fixture:

    monkeypatch.setenv("PATH", tool_path("pulumi"), prepend=os.pathsep)

For a Pulumi program in Python, the `bin` folder of an environment with `pulumi` and `pip` comes
before that on PATH: the language host runs its `python3`, and lists its packages with pip.
"""

from tools.engine.build import SETS, EngineError, ensure, tool_path

__all__ = ["SETS", "EngineError", "ensure", "tool_path"]
