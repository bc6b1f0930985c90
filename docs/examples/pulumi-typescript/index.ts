// SPDX-License-Identifier: BSD-2-Clause
import * as pulumi from "@pulumi/pulumi";
import * as echovalue from "@echovalue/pulumi";

const app = new echovalue.Token("app", { keepers: { release: "2026-11" } }); // another value rotates
const own = { token: app.token, baseUrl: app.service };
const wallet = echovalue.getWalletOutput({ ...own, details: false }); // the free reading

export const token = app.token; // secret
export const hash = app.hash;
export const credits = pulumi.unsecret(wallet.apply((found) => found.wallet)); // a balance is no secret
export const recharge = echovalue.getRechargeLinkOutput(own).url; // secret
