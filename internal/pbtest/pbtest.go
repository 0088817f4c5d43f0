// Package pbtest holds generated protobuf code against the .proto file that it is
// generated from.
package pbtest

import (
	"os"
	"os/exec"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Generated fails the test if generated code says something else than its .proto
// file. Files are found from a folder of internal/, in which the test runs. Without
// protoc it skips.
func Generated(t *testing.T, code protoreflect.FileDescriptor) {
	t.Helper()
	protoc, err := exec.LookPath("protoc")
	if err != nil {
		t.Skip("protoc is not installed here: whether the generated code is up to date is not checked")
	}
	out := t.TempDir() + "/set"
	cmd := exec.CommandContext(t.Context(), protoc, "--proto_path=../..", "--descriptor_set_out="+out, code.Path())
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := readDescriptor(t, out)
	got := protodesc.ToFileDescriptorProto(code)
	for _, file := range []*descriptorpb.FileDescriptorProto{got, want} {
		for _, message := range file.GetMessageType() {
			for _, field := range message.GetField() {
				field.JsonName = nil // who fills it in is a matter of versions
			}
		}
	}
	if !proto.Equal(got, want) {
		t.Errorf("run go generate: got\n%v\nwant\n%v", got, want)
	}
}

func readDescriptor(t *testing.T, path string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.File) != 1 {
		t.Fatalf("got %d files, want 1", len(set.File))
	}
	return set.File[0]
}
