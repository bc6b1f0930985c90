# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""Files that can hold a secret: locked, replaced in one step, private from their first instant."""
