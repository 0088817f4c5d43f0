//go:build cloud

package deploy

import "testing"

func TestCutSchema(t *testing.T) {
	for query, want := range map[string][2]string{
		"":                                   {"", ""},
		"schema=enx":                         {"", "enx"},
		"a=1&schema=enx&b=x%20y+z":           {"a=1&b=x%20y+z", "enx"},
		"options=-c%20search_path%3Dx&sch=1": {"options=-c%20search_path%3Dx&sch=1", ""},
	} {
		if rest, schema, err := cutSchema(query); rest != want[0] || schema != want[1] || err != nil {
			t.Errorf("%s: got %s, %s, %v, want %s", query, rest, schema, err, want)
		}
	}
	if _, _, err := cutSchema("schema=%zz"); err == nil {
		t.Error("no error")
	}
}
