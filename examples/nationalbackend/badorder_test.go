package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/orders/orderstest"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestBadOrders gives on the command line what operators get wrong: the exit status
// and the text say what is wrong, nothing is changed, and there is a record of it, but
// of what can have none.
func TestBadOrders(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "backend.json")
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"init", "tick"} {
		if status := run([]string{command, "-config", config}, io.Discard, io.Discard); status != exitDone {
			t.Fatalf("%s ends with %d", command, status)
		}
	}
	store, closing, err := deploy.OpenStore(t.Context(), filepath.Join(dir, "ledger.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	l, err := ledger.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	records := func() []ledger.OrderRecord {
		all, err := l.Orders(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	cases, ks := orderstest.Fill(t, l, time.Now())
	for i, c := range cases {
		args, keyLines := c.Args()
		args = append([]string{"order", "-config", config, "-do"}, args...)
		if keyLines != "" {
			path := filepath.Join(dir, fmt.Sprintf("keys-%d", i))
			if err := os.WriteFile(path, []byte(keyLines), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "-keys", path)
		}
		before, had := orderstest.Contents(t, l), records()
		var stdout, stderr bytes.Buffer
		status := run(args, &stdout, &stderr)
		want, said := exitDone, stdout.String()
		if c.Reason != "" {
			want, said = exitStopped, stderr.String()
		}
		if status != want || !strings.Contains(said, c.Says) {
			t.Errorf("%s: it ends with %d, and says %s%s; want %d, and %q", c.Name, status, &stdout, &stderr, want, c.Says)
		}
		all := records()
		there := slices.ContainsFunc(all, func(r ledger.OrderRecord) bool {
			return r.Why == c.Order.Why && r.By == c.Order.By && r.Refused == c.Reason && r.Done
		})
		switch {
		case c.Reason == "":
			continue
		case !reflect.DeepEqual(orderstest.Contents(t, l), before):
			t.Errorf("%s: the ledger is not as it was", c.Name)
		case c.Unrecorded && len(all) != len(had):
			t.Errorf("%s: there is a record", c.Name)
		case !c.Unrecorded && (len(all) != len(had)+1 || !there):
			t.Errorf("%s: there is no record of it", c.Name)
		}
		for _, k := range ks {
			if form := keystest.Leak(stdout.String()+stderr.String(), k.KeyData); form != "" {
				t.Errorf("%s: key data is there in %s", c.Name, form)
			}
		}
	}
}
