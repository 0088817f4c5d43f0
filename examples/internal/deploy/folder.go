package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/gaenkit/gaen/storage"
)

// folder is a published folder as a bucket that can only be read: a copy by
// rsync or wget, or one that belongs to somebody else. Package filestore, which
// must be able to write, is for those who publish.
type folder struct{ root *os.Root }

var _ storage.Bucket = (*folder)(nil)

// openReadOnly opens a folder for reading.
func openReadOnly(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &folder{root}, nil
}

func (f *folder) close() error { return f.root.Close() }

// inFolder is the file of an object where a folder stands in its place; see
// package filestore.
const inFolder = ".object"

// Get opens an object.
func (f *folder) Get(_ context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	file, info, err := f.open(name)
	if err == nil && info.IsDir() {
		file.Close()
		file, info, err = f.open(path.Join(name, inFolder))
	}
	switch {
	case errors.Is(err, syscall.ENOTDIR): // a parent is a file
		return nil, storage.Attributes{}, fs.ErrNotExist
	case err != nil:
		return nil, storage.Attributes{}, err
	case !info.Mode().IsRegular():
		file.Close()
		return nil, storage.Attributes{}, fs.ErrNotExist
	}
	return file, attributes(name, info), nil
}

func (f *folder) open(name string) (*os.File, fs.FileInfo, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

func attributes(name string, info fs.FileInfo) storage.Attributes {
	return storage.Attributes{
		Name:     name,
		Size:     info.Size(),
		ETag:     info.ModTime().UTC().Format("20060102150405.000000000"),
		Modified: info.ModTime(),
	}
}

// List yields the objects with that prefix.
func (f *folder) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		all, err := f.all(ctx, prefix)
		if err != nil {
			yield(storage.Attributes{}, err)
			return
		}
		for _, a := range all {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// all returns the objects with that prefix, in the order of their names.
func (f *folder) all(ctx context.Context, prefix string) (all []storage.Attributes, err error) {
	err = fs.WalkDir(f.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch hidden := strings.HasPrefix(d.Name(), "."); {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir() && hidden && p != ".":
			return fs.SkipDir
		case hidden && d.Name() != inFolder:
			return nil
		}
		name := strings.TrimSuffix(p, "/"+inFolder)
		info, err := f.root.Stat(p) // a link within the folder is what it leads to
		if err == nil && info.Mode().IsRegular() && strings.HasPrefix(name, prefix) {
			all = append(all, attributes(name, info))
		}
		return nil
	})
	slices.SortFunc(all, func(a, b storage.Attributes) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

var errReadOnly = fmt.Errorf("the folder is only read: %w", errors.ErrUnsupported)

// Put is not possible.
func (f *folder) Put(context.Context, string, io.Reader, *storage.PutOptions) (storage.Attributes, error) {
	return storage.Attributes{}, errReadOnly
}

// Delete is not possible.
func (f *folder) Delete(context.Context, string) error { return errReadOnly }
