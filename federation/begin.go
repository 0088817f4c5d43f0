package federation

import (
	"context"
	"fmt"

	"github.com/gaenkit/gaen/storage/ledger"
)

// BeginAt has the pull of an instance that has read nothing yet begin after the page
// that another system read last, instead of with what the server still keeps. A
// place without a tag is the beginning of a day. The pages of the day up to that one
// are read once more, as the instance's own are ([PullOptions.Settle]): the other
// system may have read the last before it was full. What they bring a second time is
// a duplicate.
//
// Called again with the same place it does nothing. An instance that has begun
// elsewhere is an error, and stays as it is.
func BeginAt(ctx context.Context, l *ledger.Ledger, instance ledger.Source, at Place) error {
	if err := instance.Check(); err != nil {
		return fmt.Errorf("federation: %w", err)
	}
	if len(at.Tag) > MaxTag {
		return fmt.Errorf("federation: %s: a tag of %d bytes, at most %d", instance, len(at.Tag), MaxTag)
	}
	log, err := l.Log(ctx, 1<<62)
	if err != nil {
		return err
	}
	if at.Day > DayOf(log.Now) {
		return fmt.Errorf("federation: %s: %s is a day to come", instance, at.Day)
	}
	c, err := readCursor(ctx, l, instance)
	switch {
	case err != nil:
		return err
	case c.version != 0 && c.At == at:
		return nil
	case c.version != 0:
		return fmt.Errorf("federation: %s has been read up to page %s of %s already", instance, safeTag(c.At.Tag), c.At.Day)
	}
	c.At, c.Heard, c.Worked = at, log.Now, log.Now
	c.settleAt(Place{Day: at.Day})
	if at.Tag != "" {
		c.Marks = []mark{{Tag: uploadID(at.Tag), Time: log.Now}}
	}
	swap, err := c.swap(instance)
	if err != nil {
		return err
	}
	return l.Swap(ctx, ledger.NewNonce(), swap)
}
