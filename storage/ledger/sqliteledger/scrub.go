package sqliteledger

import (
	"context"
	"database/sql"
	"encoding/binary"
	"slices"
)

// SQLite's secure_delete overwrites a row where it is deleted, but not the copy
// that stays behind when a row moves to another page to balance a tree. Of ten
// thousand keys pruned, about one could still be found in the file. Such copies
// lie in the unused space of pages, between the list of cells and the first of
// them. There they are overwritten, by way of SQLite's own table of pages, in
// transactions like all others.
//
// See https://www.sqlite.org/fileformat.html#b_tree_pages for the pages and
// https://www.sqlite.org/dbpage.html for the table.

// clean sees to it that what was removed is gone: from unused space, and from
// the write-ahead log.
func (s *Store) clean(ctx context.Context) error {
	if err := s.scrub(ctx); err != nil {
		return err
	}
	return s.cutLog(ctx)
}

// scrubChunk is how many pages a step of scrub overwrites.
const scrubChunk = 500

// scrub overwrites what is left in unused space, if anything was removed since
// it was last done. It looks at every page while others write, and writes few.
func (s *Store) scrub(ctx context.Context) error {
	pages, removals, err := s.pagesToScrub(ctx)
	if err != nil || removals == 0 {
		return err
	}
	for chunk := range slices.Chunk(pages, scrubChunk) {
		if err := s.writeStep(ctx, func(t *tx) error { return t.scrubPages(chunk) }); err != nil {
			return err
		}
	}
	return s.writeStep(ctx, func(t *tx) error {
		// What another process has removed since is for the next time.
		_, err := t.exec(`UPDATE ledger SET scrubbed = ?`, removals)
		return err
	})
}

// maxScrub is how many pages a file may have for scrub to tell those of trees
// from others by their first byte: 128 GiB.
const maxScrub = 2 << 24

// pagesToScrub returns the numbers of the pages that have something left in
// their unused space after so many removals; 0 removals if there were none since
// they were last looked at.
func (s *Store) pagesToScrub(ctx context.Context) (pages []int64, removals int64, err error) {
	err = s.readStep(ctx, func(t *tx) error {
		var n, number integer
		const dirty = `SELECT removals FROM ledger, pragma_page_count WHERE removals > scrubbed AND page_count < ?`
		if found, err := t.get(dirty, []any{int64(maxScrub)}, &n); err != nil || !found {
			return err
		}
		removals = int64(n)
		var page sql.RawBytes
		return t.each(`SELECT pgno, data FROM sqlite_dbpage`, nil, func(row scanner) error {
			err := row.Scan(&number, &page)
			if err == nil && !blank(unused(int64(number), page)) {
				pages = append(pages, int64(number))
			}
			return err
		})
	})
	return pages, removals, err
}

// scrubPages overwrites the unused space of pages.
func (t *tx) scrubPages(numbers []int64) error {
	for _, n := range numbers {
		var page []byte
		if _, err := t.get(`SELECT data FROM sqlite_dbpage WHERE pgno = ?`, []any{n}, &page); err != nil {
			return err
		}
		space := unused(n, page)
		if blank(space) {
			continue // written since, or no page of a tree any longer
		}
		clear(space)
		if _, err := t.exec(`UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?`, page, n); err != nil {
			return err
		}
	}
	return nil
}

// headerSizes are the sizes of the headers of pages of trees, by their kinds:
// inner pages and leaves, of indexes and of tables.
var headerSizes = map[byte]int{2: 12, 5: 12, 10: 8, 13: 8}

// unused returns the space between the cell pointers of a tree's page and its
// first cell; nil for any other page. Any other begins with the number of a
// page, which up to maxScrub has a first byte that is no kind, or is blank.
func unused(number int64, page []byte) []byte {
	header := 0
	if number == 1 {
		header = 100 // after the file's own
	}
	if len(page) < header+12 {
		return nil
	}
	size, ok := headerSizes[page[header]]
	if !ok {
		return nil
	}
	cells := int(binary.BigEndian.Uint16(page[header+3:]))
	from, to := header+size+2*cells, int(binary.BigEndian.Uint16(page[header+5:]))
	if from > to || to > len(page) {
		return nil
	}
	return page[from:to]
}

func blank(space []byte) bool {
	return !slices.ContainsFunc(space, func(b byte) bool { return b != 0 })
}

// cutLog empties the write-ahead log, in which pages are as they were before
// something was removed. If somebody still reads from it, it stays.
func (s *Store) cutLog(ctx context.Context) error {
	return s.withWriter(ctx, func(w *session) error {
		return w.run(context.WithoutCancel(ctx), `PRAGMA wal_checkpoint(truncate)`)
	})
}
