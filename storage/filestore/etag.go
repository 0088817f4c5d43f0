package filestore

import (
	"io/fs"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// etagOf returns the ETag of a file with this modification time and size.
func etagOf(modified time.Time, size int64) string {
	return strconv.FormatInt(modified.Unix(), 16) + "." +
		strconv.FormatInt(int64(modified.Nanosecond()), 16) + "-" + strconv.FormatInt(size, 16)
}

func etag(fi fs.FileInfo) string { return etagOf(fi.ModTime(), fi.Size()) }

// attributes returns what a file's info says of the object name. Fractions of
// the second are not time; see nextTime.
func attributes(name string, fi fs.FileInfo) storage.Attributes {
	return storage.Attributes{
		Name:     name,
		Size:     fi.Size(),
		ETag:     etag(fi),
		Modified: time.Unix(fi.ModTime().Unix(), 0).UTC(),
	}
}

// maxAhead is how far an object's time may be ahead of the clock and still be
// taken for the work of nextTime rather than of a wrong clock.
const maxAhead = int64(time.Hour / time.Second)

// nextTime returns a modification time for the version of an object that
// follows the one with old's info, nil if there is none. Its second is later
// than old's. The fraction, in units of 100 ns, as SMB shares keep it, is
// random, which tells an object from one of its name that was deleted in the
// same second.
func nextTime(now time.Time, old fs.FileInfo) time.Time {
	sec := now.Unix()
	if old != nil {
		if ahead := old.ModTime().Unix() - sec; 0 <= ahead && ahead < maxAhead {
			sec += ahead + 1
		}
	}
	return time.Unix(sec, rand.Int64N(1e7)*100)
}

// follows reports whether t can be the time of the version after old.
func follows(t time.Time, old fs.FileInfo) bool {
	if old == nil {
		return true
	}
	ahead := old.ModTime().Unix() - t.Unix()
	return ahead < 0 || ahead >= maxAhead
}
