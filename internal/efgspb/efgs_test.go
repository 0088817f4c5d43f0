package efgspb_test

import (
	"testing"

	"github.com/gaenkit/gaen/internal/efgspb"
	"github.com/gaenkit/gaen/internal/pbtest"
)

func TestGeneratedFromTheFile(t *testing.T) {
	pbtest.Generated(t, efgspb.File_internal_efgspb_efgs_proto)
}
