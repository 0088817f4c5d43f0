// Package efgspb is generated code for the messages of the European federation
// gateway. Tests compare package efgs with it, and the gateway that package
// federationtest plays is made with it; no program of ours links it.
package efgspb

//go:generate sh -c "protoc --plugin=protoc-gen-go=$(go tool -modfile=../../.tools/go.mod -n protoc-gen-go) --proto_path=../.. --go_out=../.. --go_opt=paths=source_relative internal/efgspb/efgs.proto"
