package scenario

import (
	"context"
	"slices"
	"strings"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/x/audit"
)

// History waits until the log tells this of a version, in this order: kinds of entries, a refused one as "kind: reason". What the
// hospitals' nodes do by themselves, in an order of their own, is left out: copies and shares. Reads that follow each other count once.
func (n *Network) History(v Version, want ...string) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	auditor := n.Hospital(names[0]).Auditor()
	var got []string
	for {
		entries, err := auditor.entries(ctx, phr.LogFilter{Record: v.Record.String()})
		if err != nil {
			n.t.Fatalf("log of %s: %v", v.Name, err)
		}
		if got = told(entries, v); slices.Equal(got, want) {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("log of %s:\n got %s\nwant %s", v.Name, strings.Join(got, ", "), strings.Join(want, ", "))
		}
	}
}

// pollTime lies between two looks at something that is awaited.
const pollTime = 100 * time.Millisecond

// entries lists the log from the oldest entry on.
func (p Person) entries(ctx context.Context, f phr.LogFilter) ([]*auditv1.Entry, error) {
	var entries []*auditv1.Entry
	for e, err := range p.client.Log(ctx, f) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	slices.Reverse(entries)
	return entries, nil
}

// told are the entries about a version as a story tells them.
func told(entries []*auditv1.Entry, v Version) []string {
	var words []string
	for _, e := range entries {
		about := slices.ContainsFunc(e.GetSubjects(), func(s *auditv1.Subject) bool {
			return s.GetRecord() == v.Record.String() && s.GetVersion() == v.Ref.Version
		})
		if !about || e.GetKind() == audit.KindReplicated || e.GetKind() == audit.KindShareGiven {
			continue
		}
		word := e.GetKind()
		if e.GetReason() != "" {
			word += ": " + e.GetReason()
		}
		if word == audit.KindOpened && len(words) > 0 && words[len(words)-1] == word {
			continue
		}
		words = append(words, word)
	}
	return words
}
