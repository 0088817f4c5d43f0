package main

import (
	"testing"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestPlace reads the names that the British back end gives its objects, and
// names that only resemble them.
func TestPlace(t *testing.T) {
	r := &reader{options: &options{config: deploy.Default()}, consent: keys.ConsentGiven}
	for _, tt := range []struct {
		name   string
		path   string
		source ledger.Source
		kit    keys.TestType
		origin string
		is     string // the name that an upload gets from it
		bad    bool
	}{
		{"legacy", "1593500000000_a.json", ledger.Own, keys.TestUnstated, "DE", "1593500000000_a.json", false},
		{"laboratory", "mobile/LAB_RESULT/1_a.json", ledger.Own, keys.TestLab, "DE", "mobile/LAB_RESULT/1_a.json", false},
		{"below a folder", "/srv/x/mobile/RAPID_RESULT/1_a.json", ledger.Own, keys.TestRapid, "DE", "mobile/RAPID_RESULT/1_a.json", false},
		{"no such kit", "mobile/MAGIC/1_a.json", "", 0, "", "", true},
		{"a user's home", "/home/mobile/uploads/a.json", ledger.Own, keys.TestUnstated, "DE", "a.json", false},
		{"federated", "nearform/JE/20200701/tag.json", "partner", keys.TestUnstated, "JE", "nearform/JE/20200701/tag.json", false},
		{"of no country", "nearform/J!/20200701/tag.json", "", 0, "", "", true},
		{"a prefix of another", "nearform2/GI/20200701/tag.json", ledger.Own, keys.TestUnstated, "DE", "tag.json", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, err := r.place(tt.path)
			if (err != nil) != tt.bad {
				t.Fatalf("error %v", err)
			}
			if tt.bad {
				return
			}
			if at.source != tt.source || at.granted.TestType != tt.kit || at.granted.Origin.String() != tt.origin || at.name != tt.is {
				t.Errorf("got %s of %s by %s, kit %s; want %s of %s by %s, kit %s",
					at.name, at.granted.Origin, at.source, at.granted.TestType, tt.is, tt.origin, tt.source, tt.kit)
			}
			if given := at.granted.ConsentToFederate == keys.ConsentGiven; given != (tt.source == ledger.Own) {
				t.Errorf("consent %s for keys of %s", at.granted.ConsentToFederate, at.source)
			}
		})
	}
}
