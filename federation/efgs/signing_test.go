package efgs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

// vectorsFile has 5,000 keys with random fields, and the text that the gateway's own
// tests expect to be signed of each. It is not part of this repository.
const vectorsFile = "../../../shared/vectors/efgs-signing-strings-5000.csv"

// A vector is a line of the file.
type vector struct {
	key   DiagnosisKey
	order string // base64 of what is signed
}

func vectors(t testing.TB) []vector {
	t.Helper()
	f, err := os.Open(vectorsFile)
	if err != nil {
		t.Skipf("the vectors are not here: %v", err)
	}
	defer f.Close()
	var all []vector
	for lines := bufio.NewScanner(f); lines.Scan(); {
		all = append(all, parseVector(t, lines.Text()))
	}
	if len(all) != 5000 {
		t.Fatalf("%d vectors, want 5000", len(all))
	}
	return all
}

// parseVector reads a line: each field raw and in base64, but for the report type,
// which is there once.
func parseVector(t testing.TB, line string) vector {
	t.Helper()
	columns := strings.Split(line, "|")
	if len(columns) != 17 {
		t.Fatalf("%d columns, want 17", len(columns))
	}
	var fields []string
	for i := 1; i < 16; i += 2 {
		fields = append(fields, columns[i])
	}
	return vector{key: keyOf(t, fields), order: columns[16]}
}

// keyOf returns the key with these fields, in base64.
func keyOf(t testing.TB, fields []string) DiagnosisKey {
	t.Helper()
	raw := func(i int) []byte {
		b, err := base64.StdEncoding.DecodeString(fields[i])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	number := func(i int) uint32 { return binary.BigEndian.Uint32(raw(i)) }
	return DiagnosisKey{
		KeyData: raw(0), RollingStartIntervalNumber: number(1), RollingPeriod: number(2), TransmissionRiskLevel: int32(number(3)),
		VisitedCountries: strings.Split(string(raw(4)), ","), Origin: string(raw(5)), ReportType: int32(number(6)), DaysSinceOnsetOfSymptoms: int32(number(7)),
	}
}

// TestOrder is three lines of the vectors, where those are not at hand.
func TestOrder(t *testing.T) {
	texts := []string{
		"orIXWSTnOYa+rr/jvMIvsg==.a3SbGA==.p5vfVQ==.bI8BCQ==.REosRkksREosSU4sREosREosREosREosREosNDE5.REU=.AAAAAQ==.HQAAAA==.",
		"lmOalRnRxaLYuRyLs+5h/w==.xARpZw==.iN7bfQ==.e4JIXw==.REosR0IsREosRE8sREosSUQsREosRUUsREosREo=.REU=.AAAAAQ==.9////w==.",
		"I8e3NiWMh2V5QmdRwsuLIg==.sF/INQ==.qTYXJw==.aQ82ag==.WkEsSE4sREosRUUsREosQUYsREosQ0wsQkEsREo=.REU=.AAAAAQ==.8P///w==.",
	}
	var all []DiagnosisKey
	for _, text := range texts {
		k := keyOf(t, strings.Split(text, "."))
		if got := string(k.AppendSigningString(nil)); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		all = append(all, k)
	}
	checkSum(t, "lines 5 and 6", SigningBytes([]DiagnosisKey{all[1], all[0]}), "1a6f443d517f2dd117b97f7ac5237eb0aa6d4296416ad3ad08981d843992379a")
	if got := string(SigningBytes(all)); got != texts[2]+texts[0]+texts[1] {
		t.Error("another order than the gateway's")
	}
}

func keysOf(all []vector) (ks []DiagnosisKey) {
	for i := range all {
		ks = append(ks, all[i].key)
	}
	return ks
}

// check holds bytes against the SHA-256 that they must have.
func checkSum(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != want {
		t.Errorf("%s: SHA-256 %x, want %s", what, sum, want)
	}
}

// TestSigningStrings is all 5,000 of the gateway's own.
func TestSigningStrings(t *testing.T) {
	wrong := 0
	for i, v := range vectors(t) {
		got := base64.StdEncoding.EncodeToString(v.key.AppendSigningString(nil))
		if got != v.order {
			wrong++
			t.Logf("line %d differs", i+1)
		}
	}
	if wrong > 0 {
		t.Errorf("%d of 5000 signing strings differ", wrong)
	}
}

func TestSigningBytesOfVectors(t *testing.T) {
	all := keysOf(vectors(t))
	got := SigningBytes(all)
	if len(got) != 580_108 {
		t.Errorf("%d bytes, want 580108", len(got))
	}
	checkSum(t, "all", got, "f41a1800349994ea8d3a00e64dd93c0579cbd78bcf0e4555cfc72d2382272f85")
	checkSum(t, "lines 1 to 5", SigningBytes(all[:5]), "a26ef9acb6e15c40736abe14d4a3c9daa8d82096e9dac2b470df3459149561c3")
	checkSum(t, "lines 5 and 6", SigningBytes(all[4:6]), "1a6f443d517f2dd117b97f7ac5237eb0aa6d4296416ad3ad08981d843992379a")
	first := string(all[4].AppendSigningString(nil))
	if !strings.HasPrefix(string(SigningBytes(all[4:6])), first) {
		t.Error("line 6 comes before line 5")
	}
	shuffled := slices.Clone(all)
	slices.Reverse(shuffled)
	if !bytes.Equal(SigningBytes(shuffled), got) {
		t.Error("the order in which keys are sent matters")
	}
	if !bytes.Equal(shuffled[0].KeyData, all[4999].KeyData) {
		t.Error("the caller's keys were put in another order")
	}
}

// TestWrongOrdersDiffer: the order of the design document, and that of the keys'
// bytes, are not the one that the gateway takes.
func TestWrongOrdersDiffer(t *testing.T) {
	all := keysOf(vectors(t))
	right := SigningBytes(all)
	for name, compare := range map[string]func(a, b DiagnosisKey) int{
		"the string itself": func(a, b DiagnosisKey) int {
			return bytes.Compare(a.AppendSigningString(nil), b.AppendSigningString(nil))
		},
		"key data": func(a, b DiagnosisKey) int { return bytes.Compare(a.KeyData, b.KeyData) },
		"base64 of key data": func(a, b DiagnosisKey) int {
			return strings.Compare(base64.StdEncoding.EncodeToString(a.KeyData), base64.StdEncoding.EncodeToString(b.KeyData))
		},
		"as sent": func(a, b DiagnosisKey) int { return 0 },
	} {
		sorted := slices.Clone(all)
		slices.SortStableFunc(sorted, compare)
		var joined []byte
		for i := range sorted {
			joined = sorted[i].AppendSigningString(joined)
		}
		if bytes.Equal(joined, right) {
			t.Errorf("the order by %s is the right one", name)
		}
		if name == "the string itself" && !strings.HasPrefix(hexSum(joined), "60315a6a") {
			t.Errorf("the order by %s gives %s", name, hexSum(joined))
		}
	}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// synthetic returns a key as the notes on the protocol have it.
func synthetic() DiagnosisKey {
	k := DiagnosisKey{RollingStartIntervalNumber: 2666736, RollingPeriod: 144, TransmissionRiskLevel: 0x7fffffff, Origin: "FI", ReportType: 1}
	for i := range byte(keys.KeyDataSize) {
		k.KeyData = append(k.KeyData, i)
	}
	return k
}

func TestSigningStringsOfOddKeys(t *testing.T) {
	with := func(countries []string, days int32) DiagnosisKey {
		k := synthetic()
		k.VisitedCountries, k.DaysSinceOnsetOfSymptoms = countries, days
		return k
	}
	const start = "AAECAwQFBgcICQoLDA0ODw==.ACiw8A==.AAAAkA==.f////w==."
	for _, c := range []struct {
		name      string
		key       DiagnosisKey
		want, sum string
	}{
		{"negative days", with([]string{"DE", "FR"}, -3), start + "REUsRlI=.Rkk=.AAAAAQ==./////Q==.", "17667b86f43cf0dabdae91edc5977358266d324b5b798a85a1ba3e578460cd07"},
		{"no countries", with(nil, 3997), start + ".Rkk=.AAAAAQ==.AAAPnQ==.", "dd53d2c08b61bdd6e5e14fba5559806b76953ba2f23d0934d6d5b449b81cce2c"},
		{"an empty country", with([]string{""}, 3997), start + ".Rkk=.AAAAAQ==.AAAPnQ==.", ""},
		{"empty countries", with([]string{"", "DE", ""}, 0), start + "LERFLA==.Rkk=.AAAAAQ==.AAAAAA==.", ""},
		{"order and repetition as sent", with([]string{"FR", "DE", "FR"}, 0), start + "RlIsREUsRlI=.Rkk=.AAAAAQ==.AAAAAA==.", ""},
		{"letters that are not ASCII", with([]string{"ÄÖ", "𝔻E"}, 0), start + base64.StdEncoding.EncodeToString([]byte("??,?E")) + ".Rkk=.AAAAAQ==.AAAAAA==.", ""},
		{"nothing at all", DiagnosisKey{}, ".AAAAAA==.AAAAAA==.AAAAAA==...AAAAAA==.AAAAAA==.", ""},
	} {
		got := string(c.key.AppendSigningString([]byte("before ")))
		if got != "before "+c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if c.sum != "" {
			checkSum(t, c.name, SigningBytes([]DiagnosisKey{c.key}), c.sum)
		}
		if got, want := c.key.Digest(), sha256.Sum256([]byte(c.want)); got != want {
			t.Errorf("%s: another digest than of what is signed", c.name)
		}
	}
	if got := SigningBytes(nil); len(got) != 0 {
		t.Errorf("an empty batch signs %q", got)
	}
	long := with(slices.Repeat([]string{"ABCDEFGH"}, 100), 0)
	if got := long.AppendSigningString(nil); len(got) < 1200 {
		t.Errorf("a key with many countries signs %d bytes", len(got))
	}
}
