# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that all modules have."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  base_url:
    description:
      - Where the EchoValue service is.
      - V(https://) to any host; plain V(http://) only to a loopback host, since it would send the token in clear.
      - If the option is not set, the environment variable E(ECHOVALUE_BASE_URL) of the target is used, else the default.
      - A redirect is never followed.
    type: str
    default: https://api.echovalue.dev
  timeout:
    description: Seconds that one whole exchange with the service may take, a day at most.
    type: float
    default: 10
  retries:
    description:
      - How many times a request is retried, with growing pauses in between, at least as long as the service requests.
      - A mint is tried again only where it cannot have minted.
    type: int
    default: 4
  validate_certs:
    description: Whether the service's certificate is checked. Leave it on outside of tests.
    type: bool
    default: true
  ca_path:
    description:
      - A bundle of CA certificates in PEM form to trust instead of the default ones. Name it by an absolute path.
      - It is on the target, or on the controller for the places that the controller works on.
      - If the option is not set, E(REQUESTS_CA_BUNDLE), E(CURL_CA_BUNDLE) or E(SSL_CERT_FILE) counts, in this order.
    type: path
requirements:
  - requests (on the target)
notes:
  - The standard proxy variables of the target's environment are honoured for V(https://). A SOCKS proxy needs the
    Python library PySocks.
"""
