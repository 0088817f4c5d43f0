//go:build cloud

// Command lambda is the exchange of a national back end as functions of AWS Lambda,
// called by a schedule: the same import and export as examples/nationalbackend, by
// the same configuration.
//
//	GAEN_CONFIG  the configuration file, in the function's package: backend.json
//	GAEN_TASK    import: pull from all servers
//	             export: make the cut that is due, push it, and remove what is too old
//	             tick: pull, cut, push, publish and remove
//
// The ledger must be one that several machines share (postgres:// or bucket+s3://);
// it and the tree are found, and secrets are read from the environment, by places of
// the configuration. What an event says is not looked at: every run does what is due,
// so it may come twice, or late. A run that is cut off by the function's time goes on
// with the next; it ends by itself a little before.
//
// Build it with -tags cloud,lambda.norpc.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/gaenkit/gaen/examples/internal/nation"
)

// margin is how long before the end of a function's time a run is ended.
const margin = 5 * time.Second

func main() {
	b, task, err := open(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lambda:", err)
		os.Exit(1)
	}
	lambda.Start(handler(b, task))
}

// task is what a function does.
type task func(*nation.Backend, context.Context) (*nation.TickReport, error)

var tasks = map[string]task{
	"import": (*nation.Backend).Import, "export": (*nation.Backend).Export, "tick": (*nation.Backend).Tick,
}

// open opens the back end, once for all the calls that an instance of the function
// is given.
func open(ctx context.Context) (*nation.Backend, task, error) {
	do, ok := tasks[os.Getenv("GAEN_TASK")]
	if !ok {
		return nil, nil, errors.New("GAEN_TASK: want import, export or tick")
	}
	c, err := nation.Read(os.Getenv("GAEN_CONFIG"))
	if err != nil {
		return nil, nil, err
	}
	if err := c.Rehearse(ctx); err != nil {
		return nil, nil, err
	}
	b, err := nation.Open(ctx, c, &nation.Options{Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil))})
	return b, do, err
}

// result is what a call answers with, for whoever looks at it.
type result struct {
	Accepted int  `json:"accepted"` // keys that came
	Sent     int  `json:"sent"`     // keys that went
	Cut      bool `json:"cut"`
	Waiting  bool `json:"waiting"` // for a server, before it is published
}

// handler returns what is called with each event. An error has the platform count a
// failure, and try again.
func handler(b *nation.Backend, do task) func(context.Context, json.RawMessage) (result, error) {
	return func(ctx context.Context, _ json.RawMessage) (result, error) {
		if end, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, end.Add(-margin))
			defer cancel()
		}
		report, err := do(b, ctx)
		r := result{Cut: report.Cut != nil, Waiting: report.Waiting}
		for _, p := range report.Pulls {
			r.Accepted += p.Accepted
		}
		for _, p := range report.Pushes {
			r.Sent += p.Keys
		}
		return r, err
	}
}
