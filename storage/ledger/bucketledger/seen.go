package bucketledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// What has been taken in is known by registers of the ledger, inbox/<number>,
// which change in the same step as the ledger takes the keys in. Each holds up to
// 4,000 marks of 16 bytes, so that a step writes no more than 64 KiB of them.
const (
	seenPrefix = "inbox/"
	seenForm   = 1 // the first byte of a value
	maxMarks   = 4000
)

// A mark stands for an object as it was when it was taken in.
type mark [16]byte

// markOf returns the mark of an object. One that was written anew is another: a
// file that was still being copied when it was first read is read again, and
// what of it is known already is a duplicate.
func markOf(a *storage.Attributes) mark {
	h := sha256.Sum256([]byte(a.Name + "\x00" + a.ETag))
	return mark(h[:16])
}

// seen is what has been taken in.
type seen struct {
	pages []*page
	marks map[mark]bool // when it was read
}

// A page is one register of marks.
type page struct {
	number  int64
	version int64 // 0 if it is not stored yet
	marks   []mark
}

func readSeen(ctx context.Context, l *ledger.Ledger) (*seen, error) {
	registers, err := l.Registers(ctx, seenPrefix)
	if err != nil {
		return nil, err
	}
	s := &seen{marks: map[mark]bool{}}
	for _, r := range registers {
		p, err := parsePage(r)
		if err != nil {
			return nil, err
		}
		s.pages = append(s.pages, p)
		for _, m := range p.marks {
			s.marks[m] = true
		}
	}
	return s, nil
}

func parsePage(r ledger.Register) (*page, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(r.Name, seenPrefix), 10, 64)
	if err != nil || len(r.Value)%len(mark{}) != 1 || r.Value[0] != seenForm {
		return nil, fmt.Errorf("bucketledger: register %s: not what an inbox writes, or a later version", r.Name)
	}
	p := &page{number: n, version: r.Version}
	for b := r.Value[1:]; len(b) > 0; b = b[len(mark{}):] {
		p.marks = append(p.marks, mark(b[:len(mark{})]))
	}
	return p, nil
}

func (p *page) swap() ledger.Swap {
	value := []byte{seenForm}
	for _, m := range p.marks {
		value = append(value, m[:]...)
	}
	return ledger.Swap{
		Name:    fmt.Sprintf("%s%0*d", seenPrefix, digits, p.number),
		Version: p.version,
		Value:   value,
		Delete:  len(p.marks) == 0,
	}
}

// with returns the page that more marks belong on, with them; no more than fit on
// one.
func (s *seen) with(marks []mark) *page {
	next := page{number: 1}
	if n := len(s.pages); n > 0 {
		next = *s.pages[n-1]
	}
	if len(next.marks)+len(marks) > maxMarks {
		next = page{number: next.number + 1}
	}
	next.marks = append(next.marks[:len(next.marks):len(next.marks)], marks...)
	return &next
}

// stored notes that a page has been stored, and reads the version it got, or
// what others have made of it since.
func (s *seen) stored(ctx context.Context, l *ledger.Ledger, p *page) error {
	registers, err := l.Registers(ctx, p.swap().Name)
	if err != nil {
		return err
	}
	for _, r := range registers {
		if p, err = parsePage(r); err != nil {
			return err
		}
	}
	if n := len(s.pages); n > 0 && s.pages[n-1].number == p.number {
		s.pages = s.pages[:n-1]
	}
	s.pages = append(s.pages, p)
	return nil
}

// forget returns the swaps that drop the marks of objects which are no longer
// there, of pages where it pays: where half of the marks are gone. The last page
// stays, since it is written all the time.
func (s *seen) forget(there map[mark]bool) (swaps []ledger.Swap) {
	for _, p := range s.pages[:max(0, len(s.pages)-1)] {
		rest := *p
		rest.marks = nil
		for _, m := range p.marks {
			if there[m] {
				rest.marks = append(rest.marks, m)
			}
		}
		if len(rest.marks)*2 <= len(p.marks) && len(rest.marks) < len(p.marks) {
			swaps = append(swaps, rest.swap())
		}
	}
	return swaps
}
