package deltaset

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// ErrSignature is a SHA256SUMS that no trusted key has signed: it was altered, or
// is just being replaced.
var ErrSignature = errors.New("deltaset: SHA256SUMS is not signed by a trusted key")

// compare orders places by folder, as [Files] has them, then by interval and day.
func (p place) compare(other place) int {
	return cmp.Or(strings.Compare(p.folder, other.folder), cmp.Compare(p.n, other.n), cmp.Compare(p.day, other.day))
}

// Follow returns the files that the indexes name, whoever signed them.
func (l *Layout) Follow(read func(name string) ([]byte, error)) ([]distribution.File, []string, error) {
	s := &surveyor{layout: l, fetch: read, anybody: true}
	listed, indexes, err := s.surveyAll()
	files := make([]distribution.File, len(listed))
	for i := range listed {
		files[i] = listed[i].File
	}
	return files, indexes, err
}

// Survey reads the list of packages, and of each what lists its files. The sums of
// the folders must say the same as those at the top, and everything must be signed
// by a trusted key.
func (l *Layout) Survey(read func(name string) ([]byte, error), trusted *signing.TrustList) ([]distribution.Listed, []string, error) {
	s := &surveyor{layout: l, fetch: read, trusted: trusted}
	return s.surveyAll()
}

func (s *surveyor) surveyAll() ([]distribution.Listed, []string, error) {
	l := s.layout
	list, _ := s.read(l.packages())
	for pkg := range strings.Lines(string(list)) {
		pkg = strings.TrimSuffix(pkg, "\n")
		if r, err := keys.ParseRegion(pkg); err != nil || r.String() != pkg {
			s.fail(l.packages(), errors.New("a line is no package"))
			continue
		}
		s.survey(pkg)
	}
	slices.SortStableFunc(s.files, func(a, b distribution.Listed) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Span, b.Span), a.Window.Start.Compare(b.Window.Start), cmp.Compare(a.Kind, b.Kind))
	})
	return s.files, s.indexes, errors.Join(s.errs...)
}

type surveyor struct {
	layout  *Layout
	fetch   func(string) ([]byte, error)
	trusted *signing.TrustList
	anybody bool // may have signed
	files   []distribution.Listed
	indexes []string
	errs    []error
}

func (s *surveyor) fail(name string, err error) {
	s.errs = append(s.errs, fmt.Errorf("%s: %w", name, err))
}

// read reads an index. It reports whether there is one.
func (s *surveyor) read(name string) ([]byte, bool) {
	content, err := s.fetch(name)
	if err != nil {
		s.fail(name, err)
		return nil, false
	}
	s.indexes = append(s.indexes, name)
	return content, true
}

func (s *surveyor) survey(pkg string) {
	root := s.layout.root(pkg)
	all := s.sums(root, pkg, ".")
	if all == nil {
		return
	}
	folders := s.layout.opts.Files.folders()
	for _, folder := range []string{folders[0], folders[1], snapshot} {
		if part := s.sums(root+folder+"/", pkg, folder); part != nil && !slices.Equal(part.Entries, all.of(folder).Entries) {
			s.fail(root+folder+"/"+sumsName, errors.New("does not say what the one at the top says"))
		}
	}
	if text, ok := s.read(root + latestName); ok {
		if n, err := parseLatest(text); err != nil {
			s.fail(root+latestName, err)
		} else if n != all.Newest {
			s.fail(root+latestName, fmt.Errorf("says %d, and the newest interval is %d", n, all.Newest))
		}
	}
	for _, e := range all.Entries {
		f, ok := s.layout.Parse(root + e.Path)
		if !ok {
			s.fail(root+e.Path, errors.New("an index names it, and it is no file of the layout"))
			continue
		}
		s.files = append(s.files, distribution.Listed{File: f, SHA256: e.SHA256, Completed: all.Made})
	}
}

// sums reads a SHA256SUMS and what it is signed with.
func (s *surveyor) sums(at, pkg, folder string) *Sums {
	text, ok := s.read(at + sumsName)
	if !ok {
		return nil
	}
	if err := s.verify(at, text); err != nil {
		s.fail(at+sumsName, err)
		return nil
	}
	sums, err := ParseSums(text)
	switch {
	case err != nil:
	case sums.Package != pkg || sums.Folder != folder:
		err = fmt.Errorf("it is that of %s, folder %s", sums.Package, sums.Folder)
	case sums.Interval != s.layout.opts.Interval || sums.Files != s.layout.opts.Files:
		err = fmt.Errorf("its files are by %s of %s", sums.Files, sums.Interval)
	}
	if err != nil {
		s.fail(at+sumsName, err)
		return nil
	}
	return sums
}

func (s *surveyor) verify(at string, text []byte) error {
	if s.anybody {
		return nil
	}
	return verifySums(text, s.trusted, time.Time{}, func(name string) ([]byte, error) {
		signature, err := s.fetch(at + name)
		if err == nil {
			s.indexes = append(s.indexes, at+name)
		}
		return signature, err
	})
}

// verifySums looks for a signature of a SHA256SUMS by a trusted key: the one
// without a name, and while keys overlap those by their names. The key must be
// valid at the time now, unless that is zero.
func verifySums(text []byte, trusted *signing.TrustList, now time.Time, read func(name string) ([]byte, error)) error {
	digest := sha256.Sum256(text)
	names := []string{signatureName(signing.Identity{})}
	for _, k := range trusted.Keys() {
		names = append(names, signatureName(k.Identity))
	}
	for _, name := range names {
		signature, err := read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, k := range trusted.Keys() {
			if (now.IsZero() || k.Contains(now)) && k.Verify(digest[:], signature) == nil {
				return nil
			}
		}
	}
	return ErrSignature
}
