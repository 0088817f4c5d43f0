package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// privacy prints what the releases reveal of single uploads. That it warns is the
// error, after the report.
func (c *command) privacy(ctx context.Context) (err error) {
	b, err := c.openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	r, err := b.Privacy(ctx)
	if err != nil {
		return err
	}
	if !c.json {
		r.Text(c.stdout)
	} else if err := json.NewEncoder(c.stdout).Encode(r); err != nil {
		return err
	}
	if n := r.Warnings(); n > 0 {
		return fmt.Errorf("privacy: %d warnings", n)
	}
	return nil
}
