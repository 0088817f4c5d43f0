package sqliteledger

import (
	"testing"
	"time"
)

// TestMicros: a time between two microseconds is the one before it where it is
// stored, and the one after it where others are compared with it.
func TestMicros(t *testing.T) {
	whole := time.Date(2022, 2, 1, 12, 0, 0, 5000, time.UTC)
	for _, tt := range []struct {
		time     time.Time
		down, up int64
	}{
		{whole, whole.UnixMicro(), whole.UnixMicro()},
		{whole.Add(1), whole.UnixMicro(), whole.UnixMicro() + 1},
		{whole.Add(999), whole.UnixMicro(), whole.UnixMicro() + 1},
		{time.Time{}, time.Time{}.UnixMicro(), time.Time{}.UnixMicro()},
	} {
		if down, up := micros(tt.time), microsUp(tt.time); down != tt.down || up != tt.up {
			t.Errorf("%s: %d and %d, want %d and %d", tt.time, down, up, tt.down, tt.up)
		}
	}
}
