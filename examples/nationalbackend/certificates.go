package main

import (
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gaenkit/gaen/examples/internal/authority"
	"github.com/gaenkit/gaen/signing/cms"
)

// makeCertificates makes what is needed to try the European protocol.
func makeCertificates(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("nationalbackend certificates", flag.ContinueOnError)
	f.SetOutput(stderr)
	out := f.String("out", "certificates", "`folder`")
	hosts := f.String("hosts", "127.0.0.1,localhost", "`hosts` that the gateway and those it calls back are reached by")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return usageError{err}
	}
	if f.NArg() == 0 {
		return usageError{errors.New("certificates: name the countries")}
	}
	folder := &authority.Folder{Path: *out}
	err := folder.Make(f.Args(), strings.Split(*hosts, ","))
	for _, path := range folder.Made {
		fmt.Fprintln(stdout, "made", path)
	}
	if err != nil {
		return err
	}
	gateway, err := readCertificate(filepath.Join(*out, "gateway.pem"))
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "the gateway calls back with", cms.ThumbprintOf(gateway))
	return nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return cms.ParseCertificate(string(text))
}
