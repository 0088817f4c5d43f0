package ringtest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An upload is what a phone submits.
type upload struct {
	keys      []keys.DiagnosisKey
	consent   bool
	answered  bool
	withdrawn map[ledger.UnitID]bool // which of its keys were taken back
}

// oldest is how old a key may be that is submitted: it must not be removed before
// the end.
const oldest = 6 * 24 * time.Hour

// upload makes up what the next phone submits, and remembers it.
func (n *nation) upload() *upload {
	now := n.ring.clock.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	up := &upload{consent: n.ring.fire.draw(8) > 0, withdrawn: map[ledger.UnitID]bool{}}
	for _, k := range n.gen.Upload(now).Keys {
		if now.Sub(k.End()) < oldest {
			up.keys = append(up.keys, k)
		}
	}
	up.keys = append(up.keys, n.today(now)...)
	for i := range up.keys {
		n.ring.leaks.addKey(up.keys[i].KeyData)
	}
	n.uploads = append(n.uploads, up)
	return up
}

// today returns the key of the day that has just ended with a submission, as of
// every third phone: it must wait for two hours.
func (n *nation) today(now time.Time) []keys.DiagnosisKey {
	at := keys.IntervalAt(now)
	start := keys.StartOfDay(at.Day())
	if at == start || n.ring.fire.draw(3) > 0 {
		return nil
	}
	return []keys.DiagnosisKey{{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData: n.gen.KeyData(), RollingStartIntervalNumber: start, RollingPeriod: uint8(at - start),
		},
		Origin: n.region,
	}}
}

// body returns the submission as the phone sends it.
func (up *upload) body() []byte {
	type key struct {
		Key    string `json:"key"`
		Start  int    `json:"rollingStartNumber"`
		Period int    `json:"rollingPeriod"`
		Risk   int    `json:"transmissionRisk"`
		Onset  *int   `json:"daysSinceOnsetOfSymptoms,omitempty"`
	}
	all := []key{}
	for _, k := range up.keys {
		sent := key{
			Key: base64.StdEncoding.EncodeToString(k.KeyData[:]), Start: int(k.RollingStartIntervalNumber), Period: int(k.RollingPeriod),
			Risk: int(k.TransmissionRiskLevel.Or(4)),
		}
		if days, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok {
			sent.Onset = new(int(days))
		}
		all = append(all, sent)
	}
	text, err := json.Marshal(map[string]any{"temporaryExposureKeys": all, "consentToFederate": up.consent})
	if err != nil {
		panic(err)
	}
	return text
}

// phones are all that submit.
type phones struct {
	ring   *ring
	client *http.Client

	submitted  atomic.Int64
	again      atomic.Int64 // requests that were not answered well
	turnedAway atomic.Int64 // uploads that were not made, since too many were under way
}

func newPhones(r *ring) *phones {
	return &phones{ring: r, client: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 20}}}
}

// parallel is how many phones submit at the same time.
const parallel = 60

// submit has phones submit, so many in a second, until the context ends, and then
// until each is answered.
func (p *phones) submit(ctx context.Context, rate float64) {
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			wg.Wait()
			return
		case <-ticker.C:
		}
		select {
		case slots <- struct{}{}:
		default:
			p.turnedAway.Add(1)
			continue
		}
		n := p.ring.nations[p.ring.fire.draw(len(p.ring.nations))]
		wg.Go(func() {
			defer func() { <-slots }()
			p.until(n, n.upload())
		})
	}
}

// longest is for how long a phone tries.
const longest = 3 * time.Minute

// until submits again and again until it is answered.
func (p *phones) until(n *nation, up *upload) {
	body := up.body()
	for begun := time.Now(); ; {
		err := p.post(n, body)
		if err == nil {
			n.mu.Lock()
			up.answered = true
			n.mu.Unlock()
			p.submitted.Add(1)
			return
		}
		if time.Since(begun) > longest {
			p.ring.t.Errorf("%s: a phone is not answered: %v", n.name, err)
			return
		}
		p.again.Add(1)
		time.Sleep(50*time.Millisecond + p.ring.fire.upTo(200*time.Millisecond))
	}
}

func (p *phones) post(n *nation, body []byte) error {
	n.mu.Lock()
	key := n.apiKeys[len(n.apiKeys)-5]
	n.mu.Unlock()
	req, err := http.NewRequest(http.MethodPost, "http://"+n.phones.address()+"/submission/diagnosis-keys", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+base64.StdEncoding.EncodeToString([]byte(key)))
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}

// withdraw has the nation's operator take back a key that a phone submitted, and
// reports whether there was one.
func (n *nation) withdraw() (bool, error) {
	up := n.anyAnswered()
	if up == nil {
		return false, nil
	}
	id := ledger.IDOf(&up.keys[n.ring.fire.draw(len(up.keys))])
	n.mu.Lock()
	up.withdrawn[id] = true
	n.mu.Unlock()
	done, err := n.withdrawn(id, func(*ledger.Unit) bool { return true })
	if err == nil && !done {
		err = fmt.Errorf("%s: a key that was submitted cannot be withdrawn", n.name)
	}
	return true, err
}

// withdrawLocally has the operator take back a key from abroad, which is nobody
// else's concern once it has been released here: one that was not is relayed to
// nobody.
func (n *nation) withdrawLocally(from *nation) (bool, error) {
	up := from.anyAnswered()
	if up == nil || from == n {
		return false, nil
	}
	id := ledger.IDOf(&up.keys[n.ring.fire.draw(len(up.keys))])
	done, err := n.withdrawn(id, (*ledger.Unit).Released)
	if done {
		n.mu.Lock()
		n.local[id] = true
		n.mu.Unlock()
	}
	return done, err
}

// withdrawn has a key be withdrawn if it is there and may be, whatever the database
// does, and reports whether it was.
func (n *nation) withdrawn(id ledger.UnitID, may func(*ledger.Unit) bool) (done bool, err error) {
	err = n.ring.retry("withdraw", func(ctx context.Context) error {
		l, closing, err := n.open(ctx)
		if err != nil {
			return err
		}
		defer closing()
		for rec, err := range l.Find(ctx, ledger.Query{Unit: &id}) {
			if err != nil || rec.Unit == nil || !may(rec.Unit) {
				return err
			}
		}
		receipt, err := l.Withdraw(ctx, id)
		if err == nil {
			done = receipt.Done+receipt.Already == 1
		}
		return err
	})
	return done, err
}

// anyAnswered returns an upload with keys that was answered, one of the later ones
// as a rule.
func (n *nation) anyAnswered() *upload {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.uploads) == 0 {
		return nil
	}
	last := min(len(n.uploads), 200)
	up := n.uploads[len(n.uploads)-1-n.ring.fire.draw(last)]
	if !up.answered || len(up.keys) == 0 {
		return nil
	}
	return up
}
