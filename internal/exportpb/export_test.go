package exportpb_test

import (
	"testing"

	"github.com/gaenkit/gaen/internal/exportpb"
	"github.com/gaenkit/gaen/internal/pbtest"
)

func TestGeneratedFromTheFile(t *testing.T) {
	pbtest.Generated(t, exportpb.File_internal_exportpb_export_proto)
}
