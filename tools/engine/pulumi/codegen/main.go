// SPDX-License-Identifier: BSD-2-Clause

// Command codegen writes the SDKs of a schema, as the engine does: codegen SCHEMA FOLDER.
package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func read(file string) *schema.Package {
	var spec schema.PackageSpec
	if err := json.Unmarshal(must(os.ReadFile(file)), &spec); err != nil {
		log.Fatal(err)
	}
	pkg, found, err := schema.BindSpec(spec, schema.NewNullLoader(), schema.ValidationOptions{})
	if err != nil || found.HasErrors() {
		log.Fatal(err, found)
	}
	return pkg
}

func write(folder string, files map[string][]byte) {
	for name, text := range files {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

func main() {
	file, folder := os.Args[1], os.Args[2]
	write(filepath.Join(folder, "go"), must(gen.GeneratePackage("codegen", read(file), nil)))
	write(filepath.Join(folder, "nodejs"), must(nodejs.GeneratePackage("codegen", read(file), nil, nil, true, nil)))
	write(filepath.Join(folder, "python"), must(python.GeneratePackage("codegen", read(file), nil, nil)))
}
