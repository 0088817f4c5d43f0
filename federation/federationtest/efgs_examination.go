package federationtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/signing/cms"
)

// A gatewayClause is a clause for European gateways.
type gatewayClause = clause[*gatewayExam]

type gatewayLater = look[*gatewayExam]

func gatewayClauses() []gatewayClause {
	return slices.Concat(gatewayCallers, gatewayUploads, gatewayTags, gatewaySignatures, gatewayDownloads, gatewayBatches, gatewayAudits, gatewayWithdrawals, gatewayCallbacks)
}

// A gatewayExam is one run of all clauses against a gateway.
type gatewayExam struct {
	course

	ctx     context.Context
	e       *EFGSEndpoint
	members []EFGSMember
	signers []*cms.Signer
	opts    *EFGSEndpointOptions
	clients map[*tls.Certificate]*http.Client // by what they show; nil for nothing

	start   federation.Day // when it began
	run     string         // its name, in tags
	count   int            // of tags
	readers []*gatewayReader
	stored  []*gatewayUpload // that were answered 201
	traffic []*gatewayUpload // of them, those while the gateway was polled
	sent    [][]byte         // key data, of all that was sent
	calls   *receiver        // where the gateway calls back; nil for nowhere
	forbade net.Listener     // where it must not

	refused refusals

	mu sync.Mutex
}

// examineGateway runs all clauses, and returns what came of each by name.
func examineGateway(ctx context.Context, e *EFGSEndpoint, opts *EFGSEndpointOptions) map[string]error {
	x := &gatewayExam{ctx: ctx, e: e, members: e.Members, opts: opts, clients: map[*tls.Certificate]*http.Client{}}
	defer x.close()
	return conduct(x, &x.course, gatewayClauses(), x.begin, x.wait)
}

// begin reads past whatever the gateway has already.
func (x *gatewayExam) begin() error {
	x.start = federation.DayOf(x.opts.Now()) - 1
	x.run = "federationtest-" + x.opts.Now().UTC().Format("20060102T150405Z") + "-" + newUUID()[:8]
	for i := range x.members {
		s, err := x.members[i].Signer()
		if err != nil {
			return err
		}
		x.signers = append(x.signers, s)
		r := &gatewayReader{x: x, member: i}
		if err := r.drain(); err != nil {
			return fmt.Errorf("as %s: %w", x.members[i], err)
		}
		r.from, r.pages = r.tag, nil
		x.readers = append(x.readers, r)
	}
	return nil
}

func (x *gatewayExam) close() {
	for _, c := range x.clients {
		c.CloseIdleConnections()
	}
	if x.calls != nil {
		x.calls.close()
	}
	if x.forbade != nil {
		x.forbade.Close()
	}
}

// wait has every member read on while more is uploaded and batches are made, until
// all that was taken is there or patience is out. Then everything is read once more
// from where it began, with its audits.
func (x *gatewayExam) wait() error {
	deadline := time.Now().Add(x.opts.Patience)
	done := make(chan error, 1)
	go func() { done <- x.keepUploading() }()
	uploading := true
	for {
		for _, r := range x.readers {
			if err := r.drain(); err != nil {
				return err
			}
		}
		select {
		case err := <-done:
			if uploading = false; err != nil {
				return err
			}
			continue // what it left is to be read
		default:
		}
		if !uploading && (x.complete() || time.Now().After(deadline)) {
			break
		}
		if !uploading {
			time.Sleep(x.opts.Poll)
		}
	}
	for _, r := range x.readers {
		again := &gatewayReader{x: x, member: r.member, tag: r.from}
		if err := again.drain(); err != nil {
			return err
		}
		again.readAudits()
		r.again = again
	}
	return nil
}

// keepUploading uploads and has batches made.
func (x *gatewayExam) keepUploading() error {
	for range 3 {
		u, err := x.store(0, x.keys(0, 4))
		if err != nil {
			return err
		}
		x.traffic = append(x.traffic, u)
		if x.opts.Release != nil {
			if err := x.opts.Release(); err != nil {
				return fmt.Errorf("EFGSEndpointOptions.Release: %w", err)
			}
		}
	}
	return nil
}

// complete reports whether the last member has what was uploaded last.
func (x *gatewayExam) complete() bool {
	seen := x.observer().seen()
	for _, u := range x.traffic {
		for _, k := range u.keys {
			if len(seen[string(k.GetKeyData())]) == 0 {
				return false
			}
		}
	}
	return true
}

// observer reads as the last member, to which the first one's keys are foreign.
func (x *gatewayExam) observer() *gatewayReader { return x.readers[len(x.readers)-1] }

// others returns the readers of all members but one.
func (x *gatewayExam) others(member int) []*gatewayReader {
	return slices.DeleteFunc(slices.Clone(x.readers), func(r *gatewayReader) bool { return r.member == member })
}
