# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""A driver for each place, over a client that is logged in; `driver` is their protocol."""
