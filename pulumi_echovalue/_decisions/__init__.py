# SPDX-License-Identifier: BSD-2-Clause
"""The life of a resource, without an SDK: what both providers decide by."""
