# SPDX-License-Identifier: BSD-2-Clause
"""How fast many tokens are provisioned, against what people do today: `make bench`."""
