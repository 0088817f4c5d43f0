package privacy

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
)

// A Report says what a ledger or a tree reveals. It may be printed and marshalled.
type Report struct {
	Of   string    `json:"of"` // "ledger" or "tree"
	From time.Time `json:"from"`
	To   time.Time `json:"to"`

	// Cuts are those that were read, and Pruned those that could not be, because
	// the ledger has forgotten their keys.
	Cuts   int `json:"cuts,omitempty"`
	Pruned int `json:"pruned,omitempty"`

	Origins []Origin  `json:"origins,omitempty"` // of a ledger
	Cohorts []Cohorts `json:"cohorts,omitempty"` // of a ledger, by package

	// Files are those of a tree that were compared, and Unread those that could not
	// be read. Smallest is the smallest set that any of them, or any two, form, nil
	// if all are empty.
	Files    int          `json:"files,omitempty"`
	Unread   int          `json:"unread,omitempty"`
	Smallest *SmallestSet `json:"smallest,omitempty"`

	Findings []Finding `json:"findings"`

	// Blind is what cannot be told from what was read.
	Blind []string `json:"blind"`
}

// An Origin is what cuts released of one origin, own keys or what came by
// federation.
type Origin struct {
	Origin keys.Region `json:"origin"`
	Own    bool        `json:"own"`
	Groups int         `json:"groups"` // cuts that released something of it
	Keys   int         `json:"keys"`
	Padded int         `json:"padded,omitempty"` // of those

	// Uploads are those of each group together: one of whose keys some were due
	// later is counted again with these. Of what came by federation they are batches.
	Uploads   int     `json:"uploads"`
	PerUpload float64 `json:"keysPerUpload"`
	PerDay    float64 `json:"uploadsPerDay"`

	Reached    int `json:"reached"`    // groups as large as the policy asks for
	MostKeys   int `json:"mostKeys"`   // of a group
	MostUpload int `json:"mostUpload"` // of a group

	// Needed is how many uploads of PerUpload keys reach the policy's thresholds.
	Needed int `json:"uploadsNeeded"`
}

// Cohorts are the own uploads of a package's windows by origin and onset date.
type Cohorts struct {
	Where   string              `json:"where"` // layout and package
	Windows int                 `json:"windows"`
	Uploads int                 `json:"uploads"`
	Alone   int                 `json:"alone"`
	Highest float64             `json:"highestShare"` // of a window
	Window  distribution.Window `json:"window"`       // that one
}

// A SmallestSet is how few keys files can be brought down to.
type SmallestSet struct {
	Keys int    `json:"keys"`
	Of   string `json:"of"` // what has it, or which two files and how
}

// Warnings returns how many findings are warnings.
func (r *Report) Warnings() int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Severity == Warning {
			n++
		}
	}
	return n
}

// Has reports whether there is a finding of a rule.
func (r *Report) Has(rule Rule) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule == rule })
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) {
	p := printer{w}
	switch {
	case r.Of == "ledger":
		p.line("ledger: %d cuts, %s to %s", r.Cuts, moment(r.From), moment(r.To))
	default:
		p.line("tree: %d files, %s to %s", r.Files, moment(r.From), moment(r.To))
	}
	for i := range r.Origins {
		p.origin(&r.Origins[i])
	}
	for _, c := range r.Cohorts {
		p.line("%s: of %d uploads in %d windows %d alone in their cohort, at most %s of a window's", c.Where, c.Uploads, c.Windows, c.Alone, percent(c.Highest))
	}
	if s := r.Smallest; s != nil {
		p.line("the smallest set: %d keys: %s", s.Keys, s.Of)
	}
	for i := range r.Findings {
		p.line("%s", &r.Findings[i])
	}
	for _, b := range r.Blind {
		p.line("not told: %s", b)
	}
	p.line("%d warnings", r.Warnings())
}

type printer struct{ w io.Writer }

func (p printer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

func (p printer) origin(o *Origin) {
	if !o.Own {
		p.line("%s, by federation: %d keys in %d groups", o.Origin, o.Keys, o.Groups)
		return
	}
	p.line("%s, own: %d keys in %d groups, %.1f keys an upload, %.1f uploads a day; %d uploads reach the threshold, which %d groups did",
		o.Origin, o.Keys, o.Groups, o.PerUpload, o.PerDay, o.Needed, o.Reached)
	if o.Padded > 0 {
		p.line("%s, own: %d of the keys are padding", o.Origin, o.Padded)
	}
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
