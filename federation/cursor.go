package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// A cursor is how far a server has been read, as the register remembers it.
type cursor struct {
	At      Place  `json:"at"`      // what is asked for next
	Settled Place  `json:"settled"` // up to where no page can still fill
	Marks   []mark `json:"marks,omitempty"`

	// Searched is set while the pages up to Marks are looked for by date, because
	// the server did not know Settled.
	Searched bool `json:"searched,omitempty"`

	Found  time.Time `json:"found,omitzero"` // when the last new page came
	Heard  time.Time `json:"heard"`          // that, or when silence was last found to be honest
	Worked time.Time `json:"worked"`         // when a run last came to the end, or stored a page
	Ended  time.Time `json:"ended,omitzero"` // when a run last came to the end

	Probe *probe `json:"probe,omitempty"` // that is under way

	Doubts  []doubt   `json:"doubts,omitempty"`  // oldest first
	GivenUp []GivenUp `json:"givenUp,omitempty"` // as long as the server keeps them

	version int64
}

// A mark says that the pages up to one were first read by a time. There is one for
// each run that found any, which bounds them however many pages there are. The page
// goes by its name (uploadID), which is short and needs no escapes: the register is
// bounded, whatever tags a server gives.
type mark struct {
	Tag  string    `json:"tag"`
	Time time.Time `json:"time"`
}

// maxMarks bounds the register. Where runs come quicker than that, a mark covers
// several.
const maxMarks = 30

func cursorRegister(name ledger.Source) string { return registerPrefix + string(name) + "/pull" }

// readCursor reads an instance's cursor; its version is 0 if there is none.
func readCursor(ctx context.Context, l *ledger.Ledger, name ledger.Source) (*cursor, error) {
	c := &cursor{}
	found, err := l.Registers(ctx, cursorRegister(name))
	if err != nil || len(found) == 0 {
		return c, err
	}
	c.version = found[0].Version
	if err := json.Unmarshal(found[0].Value, c); err != nil {
		return nil, fmt.Errorf("register %s: %w", found[0].Name, err)
	}
	return c, nil
}

func (c *cursor) swap(name ledger.Source) (ledger.Swap, error) {
	return swapTo(cursorRegister(name), c.version, c)
}

// stored reads back under which version the cursor was stored by the writer with
// this nonce. Another run may have changed it since.
func (c *cursor) stored(ctx context.Context, l *ledger.Ledger, name ledger.Source, nonce ledger.Nonce) error {
	found, err := l.Registers(ctx, cursorRegister(name))
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0].Nonce != nonce {
		return ErrOvertaken
	}
	c.version = found[0].Version
	return nil
}

// advance moves past a new page, that a run which began at one time has read at another.
func (c *cursor) advance(page *Page, now, read time.Time, fills bool) {
	c.At, c.Found, c.Heard, c.Probe = page.Next, now, now, nil
	if !fills {
		c.settleAt(page.Next)
		return
	}
	m := mark{Tag: uploadID(page.Tag), Time: read}
	last := len(c.Marks) - 1
	if last >= 0 && (!c.Marks[last].Time.Before(now) || len(c.Marks) >= maxMarks) {
		c.Marks[last] = m // it covers those before it
		return
	}
	c.Marks = append(c.Marks, m)
}

// notAfter takes back times that lie ahead of now: a clock that jumped ahead, and
// came back, would otherwise have pages not read once more, and silence not looked
// into, nor a page given up, until that time.
func (c *cursor) notAfter(now time.Time) {
	for _, t := range []*time.Time{&c.Found, &c.Heard, &c.Worked} {
		if t.After(now) {
			*t = now
		}
	}
	for i := range c.Marks {
		if c.Marks[i].Time.After(now) {
			c.Marks[i].Time = now
		}
	}
	for i := range c.Doubts {
		if c.Doubts[i].Since.After(now) {
			c.Doubts[i].Since = now
		}
	}
	for i := range c.GivenUp {
		if c.GivenUp[i].Time.After(now) {
			c.GivenUp[i].Time = now
		}
	}
}

// due returns the name of the page up to which pages were first read before a time,
// empty if there are none.
func (c *cursor) due(before time.Time) string {
	if len(c.Marks) == 0 || c.Marks[0].Time.After(before) {
		return ""
	}
	return c.Marks[0].Tag
}

// settle moves past a page that was read again.
func (c *cursor) settle(page *Page) {
	c.Settled = page.Next
	for i, m := range c.Marks {
		if m.Tag == uploadID(page.Tag) {
			c.Marks, c.Searched = c.Marks[i+1:], false
			return
		}
	}
	if page.Next == c.At { // past all marks: the server has other pages now
		c.settleAt(c.At)
	}
}

// settleAt notes that nothing up to a place is to be read once more.
func (c *cursor) settleAt(at Place) { c.Settled, c.Marks, c.Searched = at, nil, false }
