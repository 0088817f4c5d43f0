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

func TestSetOfKinds(t *testing.T) {
	for _, c := range []struct{ set, back, want any }{
		{Only(ReportConfirmedTest, ReportSelfReport), new(Set[ReportType]), `["CONFIRMED_TEST","SELF_REPORT"]`},
		{Only(TestLab, TestUnstated), new(Set[TestType]), `["LAB_RESULT","UNSTATED"]`},
	} {
		text, err := json.Marshal(c.set)
		if err != nil || string(text) != c.want {
			t.Fatalf("got %s, %v, want %s", text, err, c.want)
		}
		if err := json.Unmarshal(text, c.back); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(c.back); err != nil || string(again) != c.want {
			t.Errorf("came back as %s, %v, want %s", again, err, c.want)
		}
		if err := json.Unmarshal([]byte(`["none such"]`), c.back); err == nil {
			t.Error("took a name that is none")
		}
	}
	if _, err := json.Marshal(Only(ReportType(77))); err == nil {
		t.Error("wrote a report type that is none")
	}
	if _, err := json.Marshal(Only(TestType(77))); err == nil {
		t.Error("wrote a test type that is none")
	}
}
