# SPDX-License-Identifier: BSD-2-Clause
"""Rooms of the collection that this package shares."""
