# SPDX-License-Identifier: BSD-2-Clause
"""What the dynamic providers share."""
