# SPDX-License-Identifier: BSD-2-Clause
"""The resource that a program declares."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi.dynamic

from .provider import TokenProvider


class Token(pulumi.dynamic.Resource, module="echovalue", name="Token"):
    """An EchoValue API token, kept in the stack's state: minted once, or adopted.

    Its id is the token's hash. Refreshing proves it with a free request. Deleting it cannot revoke
    it: a warning says so.

    Example::

        import pulumi
        import pulumi_echovalue as echovalue

        token = echovalue.Token("app", keepers={"release": "2026-11"})
        pulumi.export("token", token.token)  # secret
        pulumi.export("hash", token.hash)
    """

    token: pulumi.Output[str]
    """The token; always a secret."""

    hash: pulumi.Output[str]
    """The token's sha256 in hex, by which it can be named in public."""

    def __init__(
        self,
        resource_name: str,
        existing_token: pulumi.Input[str] | None = None,
        keepers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        base_url: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a token.

        `existing_token` is one to adopt, instead of minting: it is proven first, free of charge, and
        is a secret in the state however it was given. `keepers` are any strings: when one changes, a
        new token is minted, put in place, and only then is the old one let go. `base_url` is the
        service; without it the stack's config `echovalue:baseUrl` counts, then the environment's
        `ECHOVALUE_BASE_URL`, then production; another one keeps the token.

        Raises pulumi.RunError for an `import_` or `id` option, since EchoValue keeps no list to import from.
        What is wrong with the other arguments, the engine says when it checks them.
        """
        if opts is not None and (opts.import_ or opts.id):
            raise pulumi.RunError(
                f"Token {resource_name!r}: EchoValue keeps no list of tokens, so one cannot be imported or "
                "looked up by its id. Nothing was done. Give the token itself as existing_token."
            )
        super().__init__(
            TokenProvider(),
            resource_name,
            {
                "existing_token": None if existing_token is None else pulumi.Output.secret(existing_token),
                "keepers": keepers,
                "base_url": base_url,
                "token": None,
                "hash": None,
            },
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["token", "existing_token"])
            ),
        )
        # A secret in the program too, also where no engine says so, as in unit tests with mocks.
        self.token = pulumi.Output.secret(self.token)
