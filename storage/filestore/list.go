package filestore

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage"
)

// List implements [storage.Bucket]. It holds the names in the folders from the
// root to where it is, not the tree.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		w := walk{b: b, ctx: ctx, yield: yield}
		if err := w.from(prefix); err != nil && err != errLeft {
			yield(storage.Attributes{}, err)
		}
	}
}

// errLeft says that the loop over the listing was left.
var errLeft = errors.New("the loop was left")

type walk struct {
	b     *Bucket
	ctx   context.Context // of the List that walks
	yield func(storage.Attributes, error) bool
}

// from lists what begins with prefix: in the folder that it names, the names
// that begin with the rest. A folder that cannot be one of ours, such as "..",
// holds no objects.
func (w *walk) from(prefix string) error {
	at, rest := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		at, rest = prefix[:i+1], prefix[i+1:]
		if !storage.ValidName(prefix[:i]) {
			return nil
		}
	}
	dir, err := w.b.root.OpenRoot(at + ".")
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return w.dir(dir, at, rest)
}

// dir lists the objects in the folder dir, whose names begin with at, and
// those below it. In byte order "a", "a-b", "a/b", "a0": what is below a folder
// may come after the folder's neighbours, so folders wait on a stack until the
// next name is greater. The last put there is the first to go, for a name that
// comes before "a/" begins with "a" and a byte less than '/'.
func (w *walk) dir(dir *os.Root, at, rest string) error {
	names, err := w.names(dir, rest)
	if err != nil {
		return err
	}
	var waiting []string
	for _, name := range names {
		if waiting, err = w.below(dir, at, waiting, name); err != nil {
			return err
		}
		isDir, err := w.name(dir, at, name)
		if err != nil {
			return err
		}
		if isDir {
			waiting = append(waiting, name)
		}
	}
	_, err = w.below(dir, at, waiting, "")
	return err
}

// below lists the folders that wait and come before the name next, or all if
// next is empty, and returns those that still wait.
func (w *walk) below(dir *os.Root, at string, waiting []string, next string) ([]string, error) {
	for len(waiting) > 0 {
		last := waiting[len(waiting)-1]
		if next != "" && next < last+"/" {
			break
		}
		waiting = waiting[:len(waiting)-1]
		sub, err := dir.OpenRoot(last + "/.") // "/." for ENOTDIR if it is a file by now
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = w.dir(sub, at+last+"/", "")
		sub.Close()
		if err != nil {
			return nil, err
		}
	}
	return waiting, nil
}

// name lists the object of this name in dir, if there is one, and reports
// whether the name is that of a folder to walk.
func (w *walk) name(dir *os.Root, at, name string) (isDir bool, err error) {
	fi, err := dir.Lstat(name)
	if err == nil && fi.Mode().Type() == fs.ModeSymlink {
		fi, err = w.follow(dir, at, name)
	}
	if err == nil && fi.IsDir() {
		isDir = true
		fi, err = dir.Stat(name + objectFile)
	}
	switch {
	case absent(err):
		return isDir, nil
	case err != nil:
		return false, err
	case !fi.Mode().IsRegular():
		return isDir, nil
	case !w.yield(attributes(at+name, fi), nil):
		return false, errLeft
	default:
		return isDir, nil
	}
}

// follow returns the info of what a link leads to. Of links to folders only
// our own count: others may lead round in circles.
func (w *walk) follow(dir *os.Root, at, name string) (fs.FileInfo, error) {
	fi, err := w.b.root.Stat(at + name)
	if err != nil || !fi.IsDir() {
		return fi, err
	}
	target, err := dir.Readlink(name)
	if err == nil && !ourLink(target) {
		err = fs.ErrNotExist
	}
	return fi, err
}

// names returns the names in dir that begin with rest and not with a dot, in
// order. They are read under the lock: on some file systems (btrfs, tmpfs) a
// rename over a name moves it within the folder, and reading at that moment
// gives it twice or not at all.
func (w *walk) names(dir *os.Root, rest string) (names []string, err error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = w.b.lock.do(w.ctx, func() (err error) {
		names, err = f.Readdirnames(-1)
		return err
	})
	if err != nil && !absent(err) { // absent: removed since it was opened
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.HasPrefix(name, ".") || !strings.HasPrefix(name, rest)
	})
	slices.Sort(names)
	return names, nil
}
