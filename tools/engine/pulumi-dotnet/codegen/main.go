// SPDX-License-Identifier: BSD-2-Clause

// Command codegen writes the .NET SDK of a schema: codegen SCHEMA FOLDER LOGO. Later versions of the generator are in a
// module that cannot be fetched.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/pkg/v3/codegen/dotnet"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	file, folder, logo := os.Args[1], os.Args[2], os.Args[3]
	var spec schema.PackageSpec
	if err := json.Unmarshal(must(os.ReadFile(file)), &spec); err != nil {
		log.Fatal(err)
	}
	// The generator fetches the logo: here from this program.
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		http.ServeFile(response, request, logo)
	}))
	defer server.Close()
	spec.LogoURL = server.URL
	pkg, found, err := schema.BindSpec(spec, nil, schema.ValidationOptions{})
	if err != nil || found.HasErrors() {
		log.Fatal(err, found)
	}
	for name, text := range must(dotnet.GeneratePackage("codegen", pkg, nil, nil)) {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
