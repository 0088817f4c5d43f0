package federationtest

// A Verdict is what becomes of a [Request]: one of those below, or a status of HTTP
// from 300 to 599, such as Verdict(http.StatusGone), which the server answers
// without having done anything.
type Verdict int

const (
	// Pass answers as it should be.
	Pass Verdict = iota

	// Fail resets the connection before anything is done.
	Fail

	// FailAfter does what is asked and resets the connection: the answer is lost.
	FailAfter

	// TimeoutAfter does what is asked and answers 504, as a gateway does that has
	// waited too long.
	TimeoutAfter

	// Stall never answers, until the caller gives up.
	Stall

	// Half resets the connection half way through the answer.
	Half

	// Partial ends the answer's body half way, as if that were all.
	Partial

	// Trickle has the answer come a byte at a time at first, then in pieces, and is
	// whole after some 50 ms.
	Trickle

	// Drip sends the beginning of the answer and then a space every 10 ms, until
	// the caller gives up.
	Drip

	// Endless sends the beginning of the answer and then spaces, as fast as they
	// are read, until the caller gives up.
	Endless

	// Bomb is Endless, in gzip if the caller takes that: 256 MiB in 256 KiB.
	Bomb

	// Blank answers 200 without a body, NullBody with null, HTML with a page for
	// people, Nested with brackets a million deep.
	Blank
	NullBody
	HTML
	Nested

	// Repeat answers a download by the page whose tag is asked for, again. One
	// without a tag passes.
	Repeat

	// Odd has a download's page hold, between its exposures, some that are none:
	// unknown values of enumerations, null, key data of other lengths.
	Odd

	// NullExposures and NoExposures answer a download with a page that has its tag,
	// and null or nothing for exposures; NoTag with exposures and no tag, LongTag
	// with a tag of a mebibyte.
	NullExposures
	NoExposures
	NoTag
	LongTag

	// Silence answers a download by 204, as if there were nothing new.
	Silence

	// Quote answers 500 and quotes what it was sent, the token too, as some
	// servers do.
	Quote

	// NoKeyFound answers an upload as the real service does one whose signature it
	// cannot verify, and NotNull one that its database does not take; both 500.
	NoKeyFound
	NotNull

	// Short answers an audit of an [EFGSServer] without its last upload.
	Short
)

// status reports whether the verdict is an answer of HTTP by itself.
func (v Verdict) status() bool { return 300 <= v && v < 600 }
