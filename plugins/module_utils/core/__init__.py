# SPDX-License-Identifier: BSD-2-Clause
# Private: for this collection and its Pulumi package only.
"""The HTTP core that the Ansible collection and the Pulumi package share.

It knows neither Ansible nor Pulumi. Read it in this order: `errors`, `models`, `service_url`, `messages`,
`client` (what the service does), `retry`, `transport` (one HTTP exchange), `alert`, `forecast`, `signals`,
and `provision` (keep, adopt, mint, replace or refuse).
"""
