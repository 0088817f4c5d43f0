package efgs

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// A Format is a form of a batch's body.
type Format uint8

const (
	Protobuf Format = iota
	JSON
)

// version is the version of both formats there are.
const version = "1.0"

var mediaTypes = [...]string{Protobuf: "application/protobuf", JSON: "application/json"}

// String returns the format's media type, without the version.
func (f Format) String() string {
	if int(f) < len(mediaTypes) {
		return mediaTypes[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// MediaType returns the format's media type with its version, as the headers
// Accept and Content-Type have it. The gateway requires the version.
func (f Format) MediaType() string { return f.String() + "; version=" + version }

// Headers of answers that name what a body is an instance of, as the gateway has
// them.
const (
	headerBatchTag       = "batchTag"
	headerNextBatchTag   = "nextBatchTag"
	headerBatchSignature = "batchSignature"
)

// A MediaError is why a header that names a media type was not taken, with the
// status that the gateway answers.
type MediaError struct {
	Header string // "Content-Type" or "Accept"
	Status int
	Err    error
}

// Error names the header and what is wrong with it.
func (e *MediaError) Error() string { return "efgs: " + e.Header + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *MediaError) Unwrap() error { return e.Err }

var (
	errNoType     = errors.New("there is none")
	errType       = errors.New("neither application/protobuf nor application/json")
	errNoVersion  = errors.New("no version")
	errVersionOff = errors.New("not version " + version)
)

// ContentType returns the format of a request's body by its header Content-Type.
// The error is a [*MediaError]: of status 400, or 406 if only the version does not
// fit.
func ContentType(header string) (Format, error) {
	f, err := parseMediaType(header)
	switch {
	case err == errVersionOff:
		return 0, &MediaError{Header: "Content-Type", Status: http.StatusNotAcceptable, Err: err}
	case err != nil:
		return 0, &MediaError{Header: "Content-Type", Status: http.StatusBadRequest, Err: err}
	}
	return f, nil
}

// Accept returns the format that a caller wants by its header Accept: the first in
// it that there is. The gateway takes no list; whoever sends one type is answered
// as it answers. The error is a [*MediaError]: of status 400 if there is no header,
// 415 otherwise.
func Accept(header string) (Format, error) {
	if strings.TrimSpace(header) == "" {
		return 0, &MediaError{Header: "Accept", Status: http.StatusBadRequest, Err: errNoType}
	}
	var first error
	for one := range strings.SplitSeq(header, ",") {
		f, err := parseMediaType(one)
		if err == nil {
			return f, nil
		}
		if first == nil {
			first = err
		}
	}
	return 0, &MediaError{Header: "Accept", Status: http.StatusUnsupportedMediaType, Err: first}
}

// parseMediaType reads a media type with its version.
func parseMediaType(header string) (Format, error) {
	if strings.TrimSpace(header) == "" {
		return 0, errNoType
	}
	f, have, err := splitMediaType(header)
	switch {
	case err != nil:
		return 0, err
	case have == "":
		return 0, errNoVersion
	case have != version:
		return 0, errVersionOff
	}
	return f, nil
}

func splitMediaType(header string) (f Format, version string, err error) {
	name, params, err := mime.ParseMediaType(header)
	if err != nil {
		return 0, "", errType
	}
	for f, known := range mediaTypes {
		if name == known {
			return Format(f), params["version"], nil
		}
	}
	return 0, "", errType
}

// answeredIn returns the format of an answer. One without a header is in the format
// that was asked for; a version is not needed, but what is not 1.x cannot be read.
func answeredIn(header string, asked Format) (Format, error) {
	if strings.TrimSpace(header) == "" {
		return asked, nil
	}
	f, have, err := splitMediaType(header)
	if err == nil && have != "" && !strings.HasPrefix(have, "1.") {
		err = errVersionOff
	}
	return f, err
}
