// SPDX-License-Identifier: BSD-2-Clause
using System.Collections.Generic;
using EchoValue.PulumiPackage;
using Pulumi;

return await Deployment.RunAsync(() =>
{
    var app = new Token("app", new TokenArgs { Keepers = { ["release"] = "2026-11" } }); // another value rotates
    var wallet = GetWallet.Invoke(new GetWalletInvokeArgs
    {
        Token = app.Value,
        BaseUrl = app.Service,
        Details = false, // the free reading
    });
    var link = GetRechargeLink.Invoke(new GetRechargeLinkInvokeArgs { Token = app.Value, BaseUrl = app.Service });

    return new Dictionary<string, object?>
    {
        ["token"] = app.Value, // secret
        ["hash"] = app.Hash,
        ["credits"] = Output.Unsecret(wallet.Apply(found => found.Wallet)), // a balance is no secret
        ["recharge"] = link.Apply(found => found.Url), // secret
    };
});
