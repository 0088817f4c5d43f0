package sqliteledger

import (
	"fmt"

	"github.com/gaenkit/gaen/keys"
)

// names are the uploads and sets of countries that one transaction has met.
// They are looked up anew in each, since another process may remove them in
// between.
type names struct {
	uploads     map[string]int64
	uploadNames map[integer]string
	countries   map[keys.Regions]int64
	sets        map[integer]keys.Regions
}

// maxNames is how many names of a kind a transaction remembers: a window has
// tens of thousands of uploads, the whole ledger millions.
const maxNames = 50_000

// remember notes a name in a map that is made anew when it is full.
func remember[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil || len(*m) >= maxNames {
		*m = make(map[K]V)
	}
	(*m)[k] = v
}

// uploadID returns the id of an upload's name, which gets one if it has none.
func (t *tx) uploadID(name string) (int64, error) {
	if id, ok := t.names.uploads[name]; ok {
		return id, nil
	}
	id, err := t.idOf(`SELECT id FROM upload WHERE name = ?`, `INSERT INTO upload (name) VALUES (?)`, name)
	if err == nil {
		remember(&t.names.uploads, name, id)
	}
	return id, err
}

// countriesID returns the id of a set of countries, null if it is empty.
func (t *tx) countriesID(set keys.Regions) (any, error) {
	if set == (keys.Regions{}) {
		return nil, nil
	}
	if id, ok := t.names.countries[set]; ok {
		return id, nil
	}
	id, err := t.idOf(`SELECT id FROM countries WHERE codes = ?`, `INSERT INTO countries (codes) VALUES (?)`, set.String())
	if err == nil {
		remember(&t.names.countries, set, id)
	}
	return id, err
}

// idOf finds the id of a name, or adds the name.
func (t *tx) idOf(find, add, name string) (int64, error) {
	var id integer
	if found, err := t.get(find, []any{name}, &id); found || err != nil {
		return int64(id), err
	}
	return t.exec(add, name)
}

// uploadName is the inverse of uploadID.
func (t *tx) uploadName(id integer) (string, error) {
	if name, ok := t.names.uploadNames[id]; ok {
		return name, nil
	}
	var name string
	if err := t.named(`SELECT name FROM upload WHERE id = ?`, id, &name); err != nil {
		return "", err
	}
	remember(&t.names.uploadNames, id, name)
	return name, nil
}

// learnUploads remembers the names of uploads with these ids, as far as there are any.
func (t *tx) learnUploads(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	var id integer
	var name string
	dest := []any{&id, &name}
	return t.each(`SELECT id, name FROM upload WHERE id IN (SELECT value FROM json_each(?))`, []any{idList(ids)}, func(s scanner) error {
		err := s.Scan(dest...)
		remember(&t.names.uploadNames, id, name)
		return err
	})
}

// countriesOf is the inverse of countriesID.
func (t *tx) countriesOf(id nullable) (keys.Regions, error) {
	if !id.valid {
		return keys.Regions{}, nil
	}
	if set, ok := t.names.sets[integer(id.n)]; ok {
		return set, nil
	}
	var codes string
	if err := t.named(`SELECT codes FROM countries WHERE id = ?`, integer(id.n), &codes); err != nil {
		return keys.Regions{}, err
	}
	var set keys.Regions
	if err := set.UnmarshalText([]byte(codes)); err != nil {
		return keys.Regions{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	remember(&t.names.sets, integer(id.n), set)
	return set, nil
}

func (t *tx) named(query string, id integer, name *string) error {
	found, err := t.get(query, []any{int64(id)}, name)
	if err == nil && !found {
		err = fmt.Errorf("%w: no name %d for %s", ErrCorrupt, id, query)
	}
	return err
}

// namesOf returns the names that the units of a list and their claims use.
func (t *tx) namesOf(list string) (n usedNames, err error) {
	n.uploads, err = t.ids(`
		SELECT upload FROM unit WHERE id IN (SELECT value FROM json_each(?1))
		UNION SELECT upload FROM claim WHERE unit IN (SELECT value FROM json_each(?1)) AND upload IS NOT NULL`, list)
	if err != nil {
		return n, err
	}
	n.countries, err = t.ids(`
		SELECT visited_countries FROM unit WHERE id IN (SELECT value FROM json_each(?1)) AND visited_countries IS NOT NULL
		UNION SELECT visited_countries FROM statement WHERE unit IN (SELECT value FROM json_each(?1)) AND visited_countries IS NOT NULL`, list)
	return n, err
}

// usedNames are ids of names that something which goes has used.
type usedNames struct{ uploads, countries []int64 }

// ids returns the ids that a query finds.
func (t *tx) ids(query string, args ...any) (ids []int64, err error) {
	err = t.each(query, args, func(row scanner) error {
		var id integer
		err := row.Scan(&id)
		ids = append(ids, int64(id))
		return err
	})
	return ids, err
}

// dropNames removes those names that nothing uses any longer.
func (t *tx) dropNames(n usedNames) error {
	if len(n.uploads) == 0 && len(n.countries) == 0 {
		return nil
	}
	if len(n.uploads) > 0 {
		_, err := t.exec(`DELETE FROM upload WHERE id IN (SELECT value FROM json_each(?))
			AND NOT EXISTS (SELECT 1 FROM unit WHERE unit.upload = upload.id)
			AND NOT EXISTS (SELECT 1 FROM claim WHERE claim.upload = upload.id)`, idList(n.uploads))
		if err != nil {
			return err
		}
	}
	if len(n.countries) > 0 {
		_, err := t.exec(`DELETE FROM countries WHERE id IN (SELECT value FROM json_each(?))
			AND NOT EXISTS (SELECT 1 FROM unit WHERE unit.visited_countries = countries.id)
			AND NOT EXISTS (SELECT 1 FROM statement WHERE statement.visited_countries = countries.id)`, idList(n.countries))
		if err != nil {
			return err
		}
	}
	t.names = names{} // some have no id any longer
	t.removed = true
	return nil
}
