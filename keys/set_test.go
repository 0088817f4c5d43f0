package keys

import (
	"encoding/json"
	"testing"
)

func TestSet(t *testing.T) {
	de, fr := MustRegion("DE"), MustRegion("FR")
	for _, c := range []struct {
		name  string
		set   Set[Region]
		json  string
		hasDE bool
		empty bool
	}{
		{"zero", Set[Region]{}, `[]`, false, true},
		{"only none", Only[Region](), `[]`, false, true},
		{"only", Only(de, fr), `["DE","FR"]`, true, false},
		{"only another", Only(fr), `["FR"]`, false, false},
		{"all", All[Region](), `"*"`, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := json.Marshal(c.set)
			if err != nil || string(text) != c.json {
				t.Fatalf("got %s, %v, want %s", text, err, c.json)
			}
			back := All[Region]() // what was there before is forgotten
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			for _, s := range []Set[Region]{c.set, back} {
				if s.Has(de) != c.hasDE || s.IsEmpty() != c.empty {
					t.Errorf("has DE %t, empty %t; want %t, %t", s.Has(de), s.IsEmpty(), c.hasDE, c.empty)
				}
			}
		})
	}
	var s Set[Region]
	if err := json.Unmarshal([]byte(`["no region!"]`), &s); err == nil {
		t.Error("took a code that is none")
	}
}

func TestSetKeepsNothingOfItsCaller(t *testing.T) {
	members := []Region{MustRegion("DE")}
	s := Only(members...)
	if members[0] = MustRegion("FR"); s.Has(members[0]) {
		t.Error("the set changed with the caller's slice")
	}
}
