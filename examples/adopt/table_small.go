//go:build !cloud

package main

import (
	"context"
	"errors"
	"io"
)

// copyTable needs a client of PostgreSQL.
func copyTable(context.Context, string, io.Writer) error {
	return errors.New("databases are read if the program is built with the tag cloud (-tags cloud); copy the table to a file")
}
