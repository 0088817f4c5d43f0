package federationtest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// A serverClause is a clause for servers of the interoperability protocol.
type serverClause = clause[*examination]

type later = look[*examination]

func serverClauses() []serverClause {
	return slices.Concat(authClauses, uploadClauses, messageClauses, contentClauses, withdrawalClauses, extendedClauses, downloadClauses, tagClauses, pagingClauses)
}

// An examination is one run of all clauses against a server.
type examination struct {
	course

	ctx     context.Context
	url     string
	nations []Nation
	opts    *EndpointOptions
	client  *http.Client

	start   federation.Day // when it began
	run     string         // its name, in tags
	count   int            // of tags
	readers []*reader      // one for each nation
	traffic []string       // key data uploaded while the server was polled, as it stands in pages
	sent    []string       // key data that was sent, as it stands in pages

	refused refusals
}

// examine runs all clauses, and returns what came of each by name.
func examine(ctx context.Context, e *Endpoint, opts *EndpointOptions) map[string]error {
	x := &examination{ctx: ctx, url: e.URL, nations: e.Nations, opts: opts, client: clientOf(opts)}
	x.start = federation.DayOf(opts.Now()) - 1
	x.run = "federationtest-" + opts.Now().UTC().Format("20060102T150405Z") + "-" + newUUID()[:8]
	return conduct(x, &x.course, serverClauses(), x.begin, x.wait)
}

func clientOf(opts *EndpointOptions) *http.Client {
	c := http.Client{}
	if opts.HTTPClient != nil {
		c = *opts.HTTPClient
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// begin reads past whatever the server has already.
func (x *examination) begin() error {
	for i := range x.nations {
		r := &reader{x: x, nation: &x.nations[i], day: x.start}
		if err := r.drain(); err != nil {
			return fmt.Errorf("as %s: %w", r.nation, err)
		}
		r.from, r.pages = r.tag, nil
		x.readers = append(x.readers, r)
	}
	return nil
}

// wait has every nation read on, without a pause, while more is uploaded and
// batches are made, until all that was taken is there or patience is out. Then
// everything is read once more from where it began.
func (x *examination) wait() error {
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
		if err := r.drain(); err != nil {
			return err
		}
		again := &reader{x: x, nation: r.nation, day: x.start, tag: r.from}
		if err := again.drain(); err != nil {
			return err
		}
		r.again = again
	}
	return nil
}

// keepUploading uploads and has batches made.
func (x *examination) keepUploading() error {
	for range 4 {
		list := x.exposures(5)
		for i := range list {
			x.traffic = append(x.traffic, list[i].KeyData)
		}
		if _, err := x.upload(0, list); err != nil {
			return err
		}
		if x.opts.Release != nil {
			if err := x.opts.Release(); err != nil {
				return fmt.Errorf("EndpointOptions.Release: %w", err)
			}
		}
	}
	return nil
}

// complete reports whether the last nation has what was uploaded last, in a second
// reading if not in the first.
func (x *examination) complete() bool {
	r := x.observer()
	seen := r.seen()
	if x.lacks(seen) == 0 {
		return true
	}
	again := &reader{x: x, nation: r.nation, day: x.start, tag: r.from}
	return again.drain() == nil && x.lacks(again.seen()) == 0
}

// lacks counts what was uploaded meanwhile and not seen.
func (x *examination) lacks(seen map[string]exposure) (n int) {
	for _, data := range x.traffic {
		if _, ok := seen[data]; !ok {
			n++
		}
	}
	return n
}

// observer reads as the last nation, to which the first one's keys are foreign.
func (x *examination) observer() *reader { return x.readers[len(x.readers)-1] }
