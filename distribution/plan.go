package distribution

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A plan says what the files of one window of a package hold: a function of the
// log between numbers, cut into parts, under signers by name. It is a register
// of the ledger, committed before anything of it is written, and never computed
// again: whoever carries it out, after whatever happened, writes the same. A
// live key table that was read again on every run is how published files came to
// change (cwa-server 650).
type plan struct {
	Span  string    `json:"span"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`

	// Region is what the archives say. Plans from before it was remembered have none
	// and go by the package's.
	Region string `json:"region,omitempty"`

	From ledger.Position `json:"from"`
	To   ledger.Position `json:"to"`

	// Bounds are the numbers at the ends of the base windows that a roll-up is
	// made of, the beginning first. A base window has From and To alone.
	Bounds []int64 `json:"bounds,omitempty"`

	// Expire has the files say which keys cease to be relevant; see [Span].
	Expire bool `json:"expire,omitempty"`

	// Adopted is the hash of the content of a file that another system published,
	// which the log need not give again.
	Adopted string `json:"adopted,omitempty"`

	Parts   []part             `json:"parts,omitempty"` // none if the window was too old to be published
	Signers []signing.Identity `json:"signers,omitempty"`

	// Completed is when every object was in the bucket; Expired when it was
	// given up, because the ledger no longer had its keys.
	Completed time.Time `json:"completed,omitzero"`
	Expired   time.Time `json:"expired,omitzero"`
	Objects   []object  `json:"objects,omitempty"`

	// Unlisted is when no index named its objects any longer.
	Unlisted time.Time `json:"unlisted,omitzero"`
}

// A part is one file of a window, by how many keys of the canonical order it
// takes: first new ones, then revised ones. Of files of several kinds, each of
// which takes what it will, the first has the numbers of the window.
type part struct {
	Kind    string `json:"kind,omitempty"`
	Keys    int    `json:"keys"`
	Revised int    `json:"revised"`
}

// An object is one file as it was stored.
type object struct {
	Name   string `json:"name"`
	ETag   string `json:"etag"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // of export.bin, or as the layout's encoder has it
}

// window returns the plan's window.
func (p *plan) window() Window { return Window{p.Start, p.End} }

// bounds returns the numbers at the ends of the plan's base windows.
func (p *plan) bounds() []int64 {
	if len(p.Bounds) > 0 {
		return p.Bounds
	}
	return []int64{p.From.Number, p.To.Number}
}

// done reports whether nothing is left to be carried out.
func (p *plan) done() bool { return !p.Completed.IsZero() || !p.Expired.IsZero() }

// published reports whether the plan's objects are to be in the bucket.
func (p *plan) published() bool { return !p.Completed.IsZero() && len(p.Objects) > 0 }

// keys returns how many keys the plan's files hold.
func (p *plan) keys() (fresh, revised int) {
	for _, part := range p.Parts {
		fresh += part.Keys
		revised += part.Revised
	}
	return fresh, revised
}

// committed is a plan with the register that holds it.
type committed struct {
	plan
	pkg     string
	name    string // of the register
	version int64
}

// files returns the plan's files.
func (c *committed) files() []File {
	files := make([]File, len(c.Parts))
	for i, p := range c.Parts {
		files[i] = File{Package: c.pkg, Span: c.Span, Window: c.window(), Kind: p.Kind, Part: i, Parts: len(c.Parts)}
		if p.Kind != "" {
			files[i].Part, files[i].Parts = 0, 1
		}
	}
	return files
}

// file returns the only file of a plan whose span has no parts.
func (c *committed) file() File {
	return File{Package: c.pkg, Span: c.Span, Window: c.window(), Parts: 1}
}

// swap returns the change of the register to what the plan is now.
func (c *committed) swap() (ledger.Swap, error) {
	return swapTo(c.name, c.version, &c.plan)
}

// swapTo returns the swap that stores v as JSON.
func swapTo(name string, version int64, v any) (ledger.Swap, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return ledger.Swap{}, fmt.Errorf("distribution: register %s: %w", name, err)
	}
	return ledger.Swap{Name: name, Version: version, Value: value}, nil
}

// Registers of an output begin with this and its name.
const registerPrefix = "distribution/"

// planTime is how windows stand in register names.
const planTime = "20060102T1504"

func (p *Publisher) register(kind string) string {
	return registerPrefix + p.opts.Output + "/" + kind
}

func (p *Publisher) packageRegister(pkg string) string { return p.register("package/" + pkg) }

func (p *Publisher) planRegister(pkg, span string, start time.Time) string {
	return p.register("plan/" + pkg + "/" + span + "/" + start.UTC().Format(planTime))
}

func (p *Publisher) indexRegister(name string) string { return p.register("index/" + name) }

func (p *Publisher) openRegister(pkg string) string { return p.register("open/" + pkg) }

func (p *Publisher) floorRegister(pkg string) string {
	return ledger.FloorRegister(registerPrefix + p.opts.Output + "/" + pkg)
}
