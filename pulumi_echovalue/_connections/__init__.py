# SPDX-License-Identifier: BSD-2-Clause
"""From a `place` of a program to a ready store; logins come from where the store's own tools take them."""
