package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/submission"
	"github.com/gaenkit/gaen/storage/ledger"
)

// reader reads files into an intake. A file that cannot be read is noted in the
// summary; an error is only what stops the job.
type reader struct {
	*options
	intake  *intake
	summary *summary
	consent keys.Consent
}

func newReader(o *options, in *intake) *reader {
	consent, err := deploy.Consent(o.config.Input.ConsentToFederate)
	if err != nil {
		panic("distribute: a configuration that was not checked: " + err.Error())
	}
	return &reader{options: o, intake: in, summary: in.summary, consent: consent}
}

// read reads a file, or all files of a folder, in the order of their names.
func (r *reader) read(ctx context.Context, root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return r.file(ctx, root, filepath.ToSlash(root), true)
	}
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			r.summary.badFile(p, err.Error())
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		return r.file(ctx, p, filepath.ToSlash(rel), false)
	})
}

// file reads one file. The name is what is known of where it lies.
func (r *reader) file(ctx context.Context, p, name string, named bool) error {
	read := map[string]func(context.Context, *os.File, *place) error{
		".json":  r.object,
		".jsonl": r.lines,
		".zip":   r.archive,
	}[path.Ext(name)]
	switch {
	case read == nil && !named:
		r.summary.otherFiles++
		return nil
	case read == nil:
		r.summary.badFile(p, "neither .json, .jsonl nor .zip")
		return nil
	}
	at, err := r.place(name)
	if err != nil {
		r.summary.badFile(p, err.Error())
		return nil
	}
	f, err := os.Open(p)
	if err != nil {
		r.summary.badFile(p, err.Error())
		return nil
	}
	defer f.Close()
	err = read(ctx, f, at)
	if bad, ok := errors.AsType[*fileError](err); ok {
		r.summary.badFile(p, bad.Error())
		return nil
	}
	r.summary.files++
	return err
}

// fileError is what is wrong with a file, or a line of it.
type fileError struct{ reason string }

func (e *fileError) Error() string { return e.reason }

func bad(format string, args ...any) *fileError { return &fileError{fmt.Sprintf(format, args...)} }

// place is what a file's place among others says of the keys in it.
type place struct {
	name    string
	source  ledger.Source
	granted keys.DiagnosisKey
}

// kitName is what a test kit's folder is called.
var kitName = regexp.MustCompile(`^[A-Z][A-Z_]*$`)

// place reads the name of an object as the British back end makes them:
// mobile/<KIT>/<name>.json for submissions, nearform/<origin>/<date>/<tag>.json
// for what came by federation; others are submissions of the first days.
func (r *reader) place(name string) (at *place, err error) {
	at = &place{name: path.Base(name), source: ledger.Own}
	at.granted.Origin = r.config.API.OriginCountry
	at.granted.ConsentToFederate = r.consent
	segments := strings.Split(name, "/")
	switch n := len(segments); {
	case n >= 3 && segments[n-3] == "mobile" && kitName.MatchString(segments[n-2]):
		at.name = strings.Join(segments[n-3:], "/")
		at.granted.TestType, err = keys.ParseTestType(segments[n-2])
	case n >= 4 && segments[n-4] == "nearform":
		at.name = strings.Join(segments[n-4:], "/")
		at.source = r.config.Input.PartnerSource
		at.granted.ConsentToFederate = keys.ConsentUnstated
		at.granted.Origin, err = keys.ParseRegion(segments[n-3])
	}
	return at, err
}

// maxObject limits a submission. The British back end takes 14 keys, the German
// one 100 KB.
const maxObject = 1 << 20

// object reads a file with one submission.
func (r *reader) object(ctx context.Context, f *os.File, at *place) error {
	text, err := io.ReadAll(io.LimitReader(f, maxObject+1))
	switch {
	case err != nil:
		return bad("%v", err)
	case len(text) > maxObject:
		return bad("larger than %d bytes", maxObject)
	}
	return r.submission(ctx, text, at, strings.TrimSuffix(at.name, ".json"))
}

// submission takes one submission in; id is its name if it has none itself. The
// error is a *fileError unless it stops the job.
func (r *reader) submission(ctx context.Context, text []byte, at *place, id string) error {
	s, err := submission.Parse(text, at.granted)
	if err != nil {
		return bad("%v", err)
	}
	if s.ID != "" {
		id = s.ID
	}
	if why := checkID(id); why != "" {
		return bad("%s", why)
	}
	u := &upload{source: at.source, id: id, keys: s.Keys}
	for i := range u.keys {
		if u.keys[i].TestType == keys.TestUnstated {
			u.keys[i].TestType = keys.TestLab // the kit that there was first
		}
	}
	for _, why := range s.Rejected {
		u.reject(s.Origin, why)
	}
	return r.intake.add(ctx, u)
}
