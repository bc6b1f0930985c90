# SPDX-License-Identifier: BSD-2-Clause
"""The native provider: tokens for programs in every language of Pulumi, and for import.

`properties` is how values travel, `provider` answers the engine, `__main__` installs the plugin.
"""
