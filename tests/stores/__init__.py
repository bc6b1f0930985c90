# SPDX-License-Identifier: BSD-2-Clause
"""The stores of the role echovalue_token, each against the real server or program."""
