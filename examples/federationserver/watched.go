package main

import (
	"os"
	"slices"
	"sync"
)

// A watched value is what files hold, read again when one of them has changed.
// While they cannot be read, as halfway through a rotation, it stays what it was, and
// they are read again each time: what is mended may be what no file shows, such as
// who may read it.
type watched[T any] struct {
	paths  []string
	read   func() (T, error)
	failed func(error) // told once of each state of the files that cannot be read

	mu     sync.Mutex
	value  T
	stamps []os.FileInfo // of the files when they were last read
	stale  bool          // for they could not be read then
}

// watch reads the files for the first time.
func watch[T any](paths []string, read func() (T, error), failed func(error)) (*watched[T], error) {
	w := &watched[T]{paths: paths, read: read, failed: failed}
	w.stamps = w.look()
	var err error
	w.value, err = read()
	return w, err
}

// get returns the value as of now.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	stamps := w.look()
	changed := !slices.EqualFunc(stamps, w.stamps, sameFile)
	if !changed && !w.stale {
		return w.value
	}
	w.stamps = stamps // before reading: what changes meanwhile is read once more
	value, err := w.read()
	if w.stale = err != nil; !w.stale {
		w.value = value
	} else if changed {
		w.failed(err)
	}
	return w.value
}

// look returns how the files are, nil for those that are not there.
func (w *watched[T]) look() []os.FileInfo {
	stamps := make([]os.FileInfo, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			stamps[i] = info
		}
	}
	return stamps
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
