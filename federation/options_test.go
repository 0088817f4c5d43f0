package federation_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestOptionsAreChecked has every field of every options set to what makes no sense.
// Constructors refuse it, and name the field.
func TestOptionsAreChecked(t *testing.T) {
	s := newNetwork(t, 1).nation("de", de)
	newHub := func(o any) error {
		_, err := federation.NewHub(s.ledger, o.(*federation.HubOptions))
		return err
	}
	newPull := func(o any) error {
		_, err := federation.NewPull(s.ledger, "hub", &shelf{}, o.(*federation.PullOptions))
		return err
	}
	newPush := func(o any) error {
		_, err := federation.NewPush(s.ledger, "hub", &server{origins: keys.Only(de)}, federation.Export(), o.(*federation.PushOptions))
		return err
	}
	days := func(n int64) int64 { return n * int64(24*time.Hour) }
	for _, c := range []struct {
		options any // zero
		make    func(any) error
		wrong   map[string][]int64 // values by field
		right   map[string][]int64
	}{
		{
			&federation.HubOptions{}, newHub,
			map[string][]int64{"BatchSize": {-1, 1, 99}, "Fresh": {-1}, "Shelf": {-1}, "Keep": {-1}, "SealedShelf": {-1}},
			map[string][]int64{"BatchSize": {0, 100, 1 << 40}, "Fresh": {0, 1, days(1)}, "Shelf": {0, 1}, "Keep": {0, 1}, "SealedShelf": {0, 1}},
		},
		{
			&federation.PullOptions{}, newPull,
			map[string][]int64{
				"History": {-1}, "Stale": {-1}, "Retention": {-1}, "MaxPages": {-1}, "Budget": {-1},
				"Settle": {days(14), days(15)}, "Silence": {days(14), days(15)}, "Patience": {-1, days(14)}, // of pages that are gone by then
			},
			map[string][]int64{
				"History": {0, 1, days(30)}, "Stale": {0, 1}, "Retention": {0, days(1)}, "MaxPages": {0, 1}, "Budget": {0, 1},
				"Settle": {-1, 0, 1, days(14) - 1}, "Silence": {-1, 0, 1, days(14) - 1}, "Patience": {0, 1, days(14) - 1},
			},
		},
		{
			&federation.PushOptions{}, newPush,
			map[string][]int64{"MaxBatch": {-1, 5001}, "MaxBatches": {-1}, "Budget": {-1}, "MaxRange": {-1}},
			map[string][]int64{"MaxBatch": {0, 1, 5000}, "MaxBatches": {0, 1}, "Budget": {0, 1}, "MaxRange": {0, 1}},
		},
	} {
		kind := reflect.TypeOf(c.options).Elem()
		for f := range kind.Fields() {
			switch f.Type.Kind() {
			case reflect.Int, reflect.Int64:
				if len(c.wrong[f.Name]) == 0 || len(c.right[f.Name]) == 0 {
					t.Errorf("%s.%s: no value is tried", kind.Name(), f.Name)
				}
			case reflect.Bool:
			default:
				if f.Type != reflect.TypeFor[federation.Defaults]() && f.Type != reflect.TypeFor[federation.Reject]() { // of data that are checked by themselves, or select
					t.Errorf("%s.%s is a %s, of which this test knows nothing", kind.Name(), f.Name, f.Type)
				}
			}
		}
		try := func(field string, v int64) error {
			o := reflect.New(kind)
			o.Elem().FieldByName(field).SetInt(v)
			return c.make(o.Interface())
		}
		for field, values := range c.wrong {
			for _, v := range values {
				if err := try(field, v); err == nil || !strings.Contains(err.Error(), kind.Name()+"."+field+":") {
					t.Errorf("%s.%s: %d: got %v", kind.Name(), field, v, err)
				}
			}
		}
		for field, values := range c.right {
			for _, v := range values {
				if err := try(field, v); err != nil {
					t.Errorf("%s.%s: %d: got %v", kind.Name(), field, v, err)
				}
			}
		}
		if err := c.make(reflect.Zero(reflect.PointerTo(kind)).Interface()); err != nil {
			t.Errorf("no %s: got %v", kind.Name(), err)
		}
	}
}

// TestNationsAreChecked names who it is about.
func TestNationsAreChecked(t *testing.T) {
	h := newHub(t)
	for want, n := range map[string]federation.Nation{
		"own":              {Name: ledger.Own, Region: de},
		"operator":         {Name: ledger.Operator, Region: de},
		"neither a region": {Name: "x"},
	} {
		if _, err := h.hub.Download(t.Context(), &n, federation.Place{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
