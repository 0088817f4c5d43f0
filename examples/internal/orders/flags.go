package orders

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Flags are an operator's order as the command line has it.
type Flags struct {
	order    ledger.Order
	do       bool
	keysFile string
}

// Define defines the flags.
func (o *Flags) Define(f *flag.FlagSet) {
	s := &o.order.Select
	f.BoolVar(&o.do, "do", false, "carry it out; without it, only what it would do is printed")
	f.Func("action", "withdraw, roll-back, erase, reinstate, revise, admit, hold or resume", func(v string) error {
		o.order.Action = ledger.Action(v)
		return nil
	})
	f.Func("upload", "`id` of an upload; may be repeated", func(v string) error {
		s.Uploads = append(s.Uploads, v)
		return nil
	})
	f.StringVar(&o.keysFile, "keys", "", "`file` of keys, one a line: the origin and the key in base64 or hexadecimal; - is the standard input")
	f.Func("origin", "`country`; to hold or resume, may be repeated", func(v string) error {
		r, err := keys.ParseRegion(v)
		s.Origin, o.order.Holds.Origins = r, append(o.order.Holds.Origins, r)
		return err
	})
	f.Func("source", "`name` of an instance, or own; to hold or resume, may be repeated", func(v string) error {
		s.Source = ledger.Source(v)
		o.order.Holds.Sources = append(o.order.Holds.Sources, s.Source)
		return nil
	})
	f.Func("kit", "kind of test: LAB_RESULT, RAPID_RESULT, RAPID_SELF_REPORTED, UNSTATED", func(v string) error {
		t, err := keys.ParseTestType(v)
		s.TestType = keys.Some(t)
		return err
	})
	f.Func("from", "accepted at this `time` or later, RFC 3339", timeFlag(&s.From))
	f.Func("to", "accepted before this `time`", timeFlag(&s.To))
	f.BoolVar(&s.All, "all", false, "every key there is")
	f.Func("to-type", "what revise states: confirmed-test or clinical", func(v string) error {
		types := map[string]keys.ReportType{"confirmed-test": keys.ReportConfirmedTest, "clinical": keys.ReportConfirmedClinicalDiagnosis}
		t, ok := types[v]
		if !ok {
			return errors.New("want confirmed-test or clinical")
		}
		o.order.ReportType = keys.Some(t)
		return nil
	})
	f.BoolVar(&o.order.Immediately, "immediately", false, "the next cut takes the withdrawals, however few they are")
	f.IntVar(&o.order.Confirm, "confirm", 0, "the `number` that was printed; needed for many keys, for all, and to hold what nobody has heard of")
	f.Func("previewed", "the `time` that was printed with that; what has come since is counted", timeFlag(&o.order.Previewed))
	f.StringVar(&o.order.ID, "id", "", "of an order that was cut off, to go on with")
	f.StringVar(&o.order.By, "by", "", "who orders it, for the record")
	f.StringVar(&o.order.Why, "why", "", "why, for the record")
}

func timeFlag(to *time.Time) func(string) error {
	return func(v string) (err error) {
		*to, err = time.Parse(time.RFC3339, v)
		return err
	}
}

// Finish completes the order from what is not on the command line. It is to be
// called once, before [Office.Give].
func (o *Flags) Finish(stdin io.Reader) error {
	if o.order.Action == ledger.OrderHold || o.order.Action == ledger.OrderResume {
		o.order.Select.Origin, o.order.Select.Source = keys.Region{}, ""
	} else {
		o.order.Holds = ledger.Holds{}
	}
	switch o.keysFile {
	case "":
		return nil
	case "-":
		return o.readKeys(stdin)
	}
	f, err := os.Open(o.keysFile)
	if err != nil {
		return err
	}
	defer f.Close()
	return o.readKeys(f)
}

// maxKeys is how many keys of a file are read: one more than an order may name, so
// that one of more is refused by the ledger, which records it.
const maxKeys = 10_001

// readKeys reads keys, which stand in a file and not on the command line, where
// others on the machine could read them. Errors name the line, not what is in it.
func (o *Flags) readKeys(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for n := 1; len(o.order.Select.Units) < maxKeys && lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if len(words) != 2 {
			return fmt.Errorf("-keys: line %d: want an origin and a key", n)
		}
		origin, err := keys.ParseRegion(words[0])
		if err != nil {
			return fmt.Errorf("-keys: line %d: that is no origin", n)
		}
		data, err := ParseKeyData(words[1])
		if err != nil {
			return fmt.Errorf("-keys: line %d: the key: %w", n, err)
		}
		o.order.Select.Units = append(o.order.Select.Units, ledger.UnitID{Origin: origin, KeyData: data})
	}
	return lines.Err()
}
