module echovalue-go

go 1.25

require (
	github.com/echovalue/echovalue-iac/sdk/go/echovalue v0.1.0
	github.com/pulumi/pulumi/sdk/v3 v3.256.0
)

replace github.com/echovalue/echovalue-iac/sdk/go/echovalue => ./sdks/echovalue
