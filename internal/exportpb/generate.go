// Package exportpb is generated code for the messages of a TEK export archive.
// Tests compare package export with it; no program of ours links it.
package exportpb

//go:generate sh -c "protoc --plugin=protoc-gen-go=$(go tool -modfile=../../.tools/go.mod -n protoc-gen-go) --proto_path=../.. --go_out=../.. --go_opt=paths=source_relative internal/exportpb/export.proto"
