//go:build !linux

package filestore

import (
	"errors"
	"os"
)

// exchange is Linux's only; elsewhere links do.
func exchange(*os.File, string, *os.File, string) error { return errors.ErrUnsupported }
