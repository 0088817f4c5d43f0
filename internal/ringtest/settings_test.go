package ringtest_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// settings are what changes in a nation's configuration from one start to the
// next.
type settings struct {
	barrier   string
	threads   int
	instances []instance
}

// An instance is what changes of one.
type instance struct {
	disabled, silent, deaf bool // nothing at all; exports nothing; imports nothing
	withheld               bool
	limits                 map[string]any
}

// calm is the configuration in which everything comes to rest.
func calm(instances int) settings {
	s := settings{barrier: "1m", threads: 4}
	for range instances {
		s.instances = append(s.instances, instance{limits: map[string]any{"timeout": "10s"}})
	}
	return s
}

// wild is any configuration that loses nothing for good. What is exported is not
// narrowed down, since what was left out once is not sent later.
func wild(random *rand.Rand, instances int, mayWithhold bool) settings {
	one := func(n int) bool { return random.IntN(n) == 0 }
	within := func(from, to time.Duration) string {
		return (from + time.Duration(random.Int64N(int64(to-from)))).Round(time.Millisecond).String()
	}
	s := settings{barrier: within(time.Minute, 8*time.Minute), threads: 1 + random.IntN(8)}
	for range instances {
		s.instances = append(s.instances, instance{
			disabled: one(10), silent: one(8), deaf: one(8), withheld: mayWithhold && one(5),
			limits: map[string]any{
				"maxBatch": 20 + random.IntN(500), "maxBatches": 1 + random.IntN(20), "maxPages": 1 + random.IntN(20),
				"budget": within(50*time.Millisecond, 5*time.Second), "timeout": within(time.Second, 10*time.Second),
				"settle": []string{"-1ns", "10m", "30m"}[random.IntN(3)],
			},
		})
	}
	return s
}

// configuration returns the nation's configuration file, with the ledger at a
// place.
func (n *nation) configuration(store string) string {
	type object = map[string]any
	file := func(name string) object { return object{"file": name} }
	var instances []object
	for i, w := range n.wires {
		in := n.config.instances[i]
		instances = append(instances, object{
			"name": w.hub.name, "url": "http://" + w.link.address(), "plainHttp": true, "token": file(w.hub.name + ".token"),
			"signingKey": file("keys/federation.pem"), "fromBeginning": true, "extended": n.gateway,
			"disabled": in.disabled, "import": !in.deaf, "export": !in.silent, "gateway": n.gateway && !in.silent, "withheld": in.withheld,
			"limits": in.limits, "rules": object{"withdrawals": true},
		})
	}
	text, err := json.MarshalIndent(object{
		"paths":      object{"ledger": store, "output": "www"},
		"api":        object{"originCountry": n.region, "unionPackage": "EUR"},
		"release":    object{"grid": "10m", "fineGrid": true, "minKeys": 0, "minUploads": 0, "minWithdrawnUploads": 0},
		"input":      object{"consentToFederate": "given"},
		"submission": object{"listen": "127.0.0.1:0", "authorizer": "apiKey", "apiKeys": file("api-keys"), "signingKey": file("keys/answers.pem"), "beat": "10ms"},
		"operations": object{"listen": "127.0.0.1:0", "resolution": "1m"},
		"schedule":   object{"every": "1s", "jitter": "200ms", "pushBarrier": n.config.barrier, "allowGap": true},
		"objectStore": object{
			"threads": n.config.threads,
		},
		"instances": instances,
	}, "", "\t")
	if err != nil {
		panic(fmt.Sprintf("the configuration does not marshal: %v", err))
	}
	return string(text)
}
