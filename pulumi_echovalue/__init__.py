# SPDX-License-Identifier: BSD-2-Clause
"""EchoValue API tokens as Pulumi resources: minted once, kept as secrets, never replaced by chance.

import pulumi_echovalue as echovalue

token = echovalue.Token("app")
wallet = echovalue.get_wallet(token, details=False)
"""

from ._shared.module_utils.core.forecast import Forecast
from ._shared.module_utils.core.models import Wallet
from ._shared.module_utils.core.version import VERSION
from .functions import get_forecast, get_recharge_link, get_wallet
from .places import (
    AwsConnection,
    AwsSecretsManagerPlace,
    CommandPlace,
    HashiVaultConnection,
    HashiVaultPlace,
    KubernetesConnection,
    KubernetesPlace,
    Place,
    SopsPlace,
)
from .token import Token
from .wallet_alert import WalletAlert, Webhook

__version__ = VERSION

__all__ = [
    "AwsConnection",
    "AwsSecretsManagerPlace",
    "CommandPlace",
    "Forecast",
    "HashiVaultConnection",
    "HashiVaultPlace",
    "KubernetesConnection",
    "KubernetesPlace",
    "Place",
    "SopsPlace",
    "Token",
    "Wallet",
    "WalletAlert",
    "Webhook",
    "__version__",
    "get_forecast",
    "get_recharge_link",
    "get_wallet",
]
