package submit_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// BenchmarkSubmission is the work of one submission of 12 keys, over HTTP into a
// ledger in a file.
func BenchmarkSubmission(b *testing.B) {
	d := newDesk(b, inFile(b), submit.Options{Beat: time.Microsecond}, nil)
	for b.Loop() {
		b.StopTimer()
		body := phoneBody(d.issue(given), d.upload(12), nil)
		b.StartTimer()
		d.post(body, nil)
	}
}
