package federationtest

import (
	"net/http"
	"sync"
	"testing"
)

// Clients without a time of their own ask again when they are cut off: the host of a
// trial ends all the same.
func TestTrialHostEnds(t *testing.T) {
	for range 100 {
		asked := make(chan struct{}, 100)
		h := newTrialHost(func(w http.ResponseWriter, r *http.Request) {
			select {
			case asked <- struct{}{}:
			default:
			}
			<-r.Context().Done()
		})
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for range 10 {
					if a, err := http.Get(h.URL); err == nil {
						a.Body.Close()
					}
				}
			})
		}
		<-asked
		h.close()
		clients.Wait()
	}
}
