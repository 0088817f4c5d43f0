package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// print prints what is known, section by section.
func (s *summary) print(w io.Writer) {
	if s.publications == 0 && !s.dryRun && len(s.intake) == 0 {
		return // stopped before anything was done
	}
	s.printIntake(w)
	s.printCuts(w)
	if s.dryRun {
		s.printDue(w)
	} else {
		fmt.Fprintf(w, "\npublished, %d times\n", s.publications)
		for _, r := range s.totals {
			fmt.Fprint(w, r)
		}
	}
	s.printStats(w)
	for _, n := range s.notes {
		fmt.Fprintln(w, n)
	}
	s.printTrees(w)
	if len(s.trees) > 0 {
		s.printMade(w)
	}
}

func table(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func (s *summary) printIntake(w io.Writer) {
	fmt.Fprintln(w, "taken in by this run")
	if s.files+len(s.bad)+s.badMore+s.otherFiles > 0 {
		fmt.Fprintf(w, "%d files read, %d files or lines bad, %d of other kinds passed over, %d archives not verified\n",
			s.files, len(s.bad)+s.badMore, s.otherFiles, s.unverified)
	}
	if r := s.inbox; r != nil {
		fmt.Fprintf(w, "inbox: %d objects, %d taken in, %d known, %d below disabled prefixes, %d of nobody, %d bad\n",
			r.Listed, r.Taken, r.Known, r.Disabled, r.Others, len(r.Bad))
	}
	for _, b := range s.bad {
		fmt.Fprintln(w, "bad:", b)
	}
	if s.badMore > 0 {
		fmt.Fprintf(w, "bad: and %d more\n", s.badMore)
	}
	if len(s.intake) == 0 {
		fmt.Fprintln(w, "no keys")
		return
	}
	t := table(w)
	fmt.Fprintln(t, "source\toffered\taccepted\trevised\tduplicate\trejected\twithdrawals\t")
	for _, source := range slices.Sorted(maps.Keys(s.intake)) {
		c := s.intake[source]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", source, c.offered, c.accepted, c.revised, c.duplicates, c.rejected, c.withdrawals)
	}
	t.Flush()
	s.printRejections(w)
}

func (s *summary) printRejections(w io.Writer) {
	slices.SortFunc(s.rejections, func(a, b *rejected) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.field, b.field), cmp.Compare(a.reason, b.reason))
	})
	for _, r := range s.rejections {
		fmt.Fprintf(w, "rejected: %s: %d keys: %s: %s (first in %s", r.source, r.n, r.field, r.reason, r.first.Upload)
		if r.first.Detail != "" {
			fmt.Fprintf(w, ": %s", r.first.Detail)
		}
		fmt.Fprintln(w, ")")
		if r.field == keys.FieldConsent && r.reason == keys.ReasonMissing {
			fmt.Fprintln(w, "  say consentToFederate in the input, or input.consentToFederate in the configuration (-consent given|refused)")
		}
	}
}

func (s *summary) printCuts(w io.Writer) {
	fmt.Fprintln(w)
	if !s.begin.IsZero() {
		fmt.Fprintf(w, "replayed from %s\n", deploy.Shown(s.begin))
	}
	if s.last == nil {
		fmt.Fprintln(w, "no cut was made")
		return
	}
	c := s.last.Cut
	fmt.Fprintf(w, "%d cuts, the last of %s with number %d\n", s.cuts, deploy.Shown(c.Time), c.Last)
	for _, g := range s.last.Waiting {
		fmt.Fprintf(w, "waiting: %s: %d keys of %d uploads since %s, until more come or %s\n", g.Origin, g.Keys, g.Uploads, deploy.Shown(g.Since), deploy.Shown(g.Until))
	}
}

func (s *summary) printDue(w io.Writer) {
	fmt.Fprintln(w, "\nwould be published (dry run: nothing was changed)")
	if len(s.due) == 0 {
		fmt.Fprintln(w, "nothing")
		return
	}
	t := table(w)
	fmt.Fprintln(t, "object\tkeys\trevised\t")
	for _, p := range s.due {
		for _, name := range p.Objects {
			fmt.Fprintf(t, "%s\t%d\t%d\t\n", name, p.Keys, p.Revised)
		}
	}
	t.Flush()
}

// terms are the columns of the books.
var terms = []ledger.Term{
	ledger.TermSent, ledger.TermDue, ledger.TermWaiting, ledger.TermHeld,
	ledger.TermWithdrawn, ledger.TermNotForSink, ledger.TermExpired,
}

func (s *summary) printStats(w io.Writer) {
	if s.stats == nil {
		return
	}
	fmt.Fprintln(w, "\nthe books of the ledger: what became of every key")
	t := table(w)
	fmt.Fprintln(t, "source\toffered\taccepted\trevised\tduplicate\trejected\t")
	sources := slices.Sorted(maps.Keys(s.stats.Sources))
	for _, name := range sources {
		b := s.stats.Sources[name]
		var rejected int64
		for _, n := range b.Rejected {
			rejected += n
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t\n", name, b.Offered, b.Accepted, b.Revised, b.Duplicates, rejected)
	}
	t.Flush()
	for _, name := range sources {
		s.printReasons(w, name)
		s.printSinks(w, name)
	}
	if s.removed > 0 {
		fmt.Fprintf(w, "%d keys removed for their age\n", s.removed)
	}
}

// printReasons says why keys of a source were rejected, in all runs so far.
func (s *summary) printReasons(w io.Writer, source ledger.Source) {
	rejected := s.stats.Sources[source].Rejected
	for _, reason := range slices.Sorted(maps.Keys(rejected)) {
		fmt.Fprintf(w, "%s rejected: %d: %s\n", source, rejected[reason], reason)
	}
}

func (s *summary) printSinks(w io.Writer, source ledger.Source) {
	t := table(w)
	fmt.Fprintf(t, "%s in\t", source)
	for _, term := range terms {
		fmt.Fprintf(t, "%s\t", term)
	}
	fmt.Fprintln(t)
	sinks := s.stats.Sources[source].Sinks
	for _, sink := range slices.Sorted(maps.Keys(sinks)) {
		fmt.Fprintf(t, "%s\t", sink)
		for _, term := range terms {
			fmt.Fprintf(t, "%d\t", sinks[sink][term])
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

func (s *summary) printTrees(w io.Writer) {
	for _, r := range s.trees {
		printTree(w, r)
	}
}

func printTree(w io.Writer, r *distribution.TreeReport) {
	fmt.Fprintf(w, "\nthe tree: %d indexes, %d archives (%d bytes) with %d keys and %d revised ones, %d archives in no index\n",
		r.Indexes, r.Archives, r.Bytes, r.Keys, r.Revised, len(r.Unlisted))
	for _, f := range r.Findings {
		fmt.Fprintln(w, "wrong:", f)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "verified: every signature, every index, every window, every key")
	}
}

func (s *summary) printMade(w io.Writer) {
	at := site{dir: s.dir, config: s.config}
	fmt.Fprintln(w)
	t := table(w)
	fmt.Fprintf(t, "%s\tthe ledger: key data is in it\t\n", deploy.Redacted(at.ledger()))
	fmt.Fprintf(t, "%s\tthe signing key: secret\t\n", at.privateKey())
	fmt.Fprintf(t, "%s\tthe key file for the app stores\t\n", at.publicKey())
	if s.config.HasLayout(deploy.NHS) {
		fmt.Fprintf(t, "%s\tthe key of metadata: secret; its public key is beside it\t\n", at.metadataKey())
	}
	tree, serve := deploy.Redacted(at.output()), ": serve it with examples/distribute/nginx.conf"
	if deploy.IsURL(at.output()) {
		serve = ""
	}
	fmt.Fprintf(t, "%s\tthe tree%s\t\n", tree, serve)
	t.Flush()
	for _, layout := range s.config.API.Layouts {
		fmt.Fprintln(w, "check it:", checking(keyFlags(layout, &at), filepath.ToSlash(tree)))
	}
}

// keyFlags returns what tells the layout and the keys of a tree.
func keyFlags(layout string, at *site) string {
	flags := "-key " + filepath.ToSlash(at.publicKey())
	switch layout {
	case deploy.NHS:
		return "-layout nhs -metadata-key " + filepath.ToSlash(at.metadataKey()) + ".pub " + flags
	case deploy.Deltaset:
		return "-layout deltaset " + flags
	}
	return flags
}

// checking returns the command that checks a tree, as it can be pasted.
func checking(keys, tree string) string {
	if !deploy.IsURL(tree) {
		return fmt.Sprintf("go run ./examples/verify %s %s", keys, tree)
	}
	return fmt.Sprintf("go run -tags cloud ./examples/verify %s '%s'", keys, tree)
}
