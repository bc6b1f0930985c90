# SPDX-License-Identifier: BSD-2-Clause
"""Real programs for the tests: built once from pinned Go modules, started when a test asks.

    python -m tests.engine pulumi kubernetes sops

builds what is named. In a fixture:

    monkeypatch.setenv("PATH", tool_path("pulumi", "sops"), prepend=os.pathsep)
"""

from tests.engine.build import SETS, EngineError, ensure, tool_path

__all__ = ["SETS", "EngineError", "ensure", "tool_path"]
