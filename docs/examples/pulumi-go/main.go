// SPDX-License-Identifier: BSD-2-Clause
package main

import (
	"github.com/echovalue/echovalue-iac/sdk/go/echovalue"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		app, err := echovalue.NewToken(ctx, "app", &echovalue.TokenArgs{
			Keepers: pulumi.StringMap{"release": pulumi.String("2026-11")}, // another value rotates
		})
		if err != nil {
			return err
		}
		wallet := echovalue.GetWalletOutput(ctx, echovalue.GetWalletOutputArgs{
			Token:   app.Token,
			BaseUrl: app.Service,
			Details: pulumi.Bool(false), // the free reading
		})
		link := echovalue.GetRechargeLinkOutput(ctx, echovalue.GetRechargeLinkOutputArgs{
			Token:   app.Token,
			BaseUrl: app.Service,
		})
		ctx.Export("token", app.Token) // secret
		ctx.Export("hash", app.Hash)
		ctx.Export("credits", pulumi.Unsecret(wallet.Wallet())) // a balance is no secret
		ctx.Export("recharge", link.Url())                      // secret
		return nil
	})
}
