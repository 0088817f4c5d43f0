//go:build !cloud

package deploy

import (
	"fmt"
	"net/url"
)

// Without the tag "cloud" programs are small and quick to build, and know files
// alone.
var (
	bucketServers map[string]openBucket
	ledgerServers map[string]ledgerServer
)

// serverAdvice is for the errors of servers, and isServerLedgers knows those of
// ledgers on servers.
var serverAdvice []hint

func isServerLedgers(error) bool { return false }

// unknown is the error for a place that the program does not know.
func unknown(u *url.URL) error {
	switch u.Scheme {
	case "s3", "gs", "postgres", "postgresql":
		return fmt.Errorf("%s://: this program was built without servers; build it with -tags cloud", u.Scheme)
	}
	return fmt.Errorf("%s://: not a place that is known", u.Scheme)
}
