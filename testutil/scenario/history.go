package scenario

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/x/audit"
)

// History waits until the log tells this of a version, in this order: kinds of entries, a refused one as "kind: reason". What the
// hospitals' nodes do by themselves, in an order of their own, is left out: copies, shares and attestations. Reads that follow each other count once.
func (n *Network) History(v Version, want ...string) {
	n.t.Helper()
	n.tells(v, want, func(got []string) bool { return slices.Equal(got, want) })
}

// EndsWith is History of the last words alone.
func (n *Network) EndsWith(v Version, want ...string) {
	n.t.Helper()
	n.tells(v, want, func(got []string) bool { return len(got) >= len(want) && slices.Equal(got[len(got)-len(want):], want) })
}

func (n *Network) tells(v Version, want []string, right func([]string) bool) {
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
		if got = told(entries, v); right(got) {
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

// log lists the whole log of this moment, once the gateway's index has come to its end.
func (p Person) log(ctx context.Context) ([]*auditv1.Entry, error) {
	q := auditv1.NewQueryClient(p.client)
	head, err := q.Head(ctx, &auditv1.QueryHeadRequest{})
	if err != nil {
		return nil, err
	}
	for {
		status, err := q.IndexStatus(ctx, &auditv1.QueryIndexStatusRequest{})
		if err != nil {
			return nil, err
		}
		if status.GetIndexed() >= head.GetSize() {
			return p.entries(ctx, phr.LogFilter{})
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Tells waits until the newest entry of this kind and actor is this one, whatever its sequence, height and time. The actor is empty
// for what the chain did.
func (n *Network) Tells(want *auditv1.Entry) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	auditor := n.Hospital(names[0]).Auditor()
	var got *auditv1.Entry
	for {
		for e, err := range auditor.client.Log(ctx, phr.LogFilter{Actor: want.GetActor(), Kind: want.GetKind()}) {
			if err != nil {
				n.t.Fatalf("log: %v\n got %v\nwant %v", err, got, want)
			}
			if got = e; e.GetActor() == want.GetActor() {
				break
			}
		}
		if got != nil {
			got.Sequence, got.Height, got.Time = 0, 0, 0
			if proto.Equal(got, want) {
				return
			}
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("log:\n got %v\nwant %v", got, want)
		}
	}
}

// ToldOf waits until an entry of this kind and actor is this one, whatever its sequence, height and time, and whatever came after it.
func (n *Network) ToldOf(want *auditv1.Entry) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	auditor := n.Hospital(names[0]).Auditor()
	for {
		entries, err := auditor.entries(ctx, phr.LogFilter{Actor: want.GetActor(), Kind: want.GetKind()})
		for _, e := range entries {
			e.Sequence, e.Height, e.Time = 0, 0, 0
			if proto.Equal(e, want) {
				return
			}
		}
		if err != nil {
			n.t.Fatalf("log: %v\n got %v\nwant %v", err, entries, want)
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("log:\n got %v\nwant %v", entries, want)
		}
	}
}

// Told waits until the newest entry that a filter lets through is this one, whatever its sequence, height and time.
func (n *Network) Told(want *auditv1.Entry, filter phr.LogFilter) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	auditor := n.Hospital(names[0]).Auditor()
	for {
		entries, err := auditor.entries(ctx, filter)
		if err != nil {
			n.t.Fatalf("log: %v", err)
		}
		var got *auditv1.Entry
		if len(entries) > 0 {
			got = entries[len(entries)-1]
			got.Sequence, got.Height, got.Time = 0, 0, 0
			if proto.Equal(got, want) {
				return
			}
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("log:\n got %v\nwant %v", got, want)
		}
	}
}

// told are the entries about a version as a story tells them.
func told(entries []*auditv1.Entry, v Version) []string {
	var words []string
	for _, e := range entries {
		about := slices.ContainsFunc(e.GetSubjects(), func(s *auditv1.Subject) bool {
			return s.GetRecord() == v.Record.String() && s.GetVersion() == v.Ref.Version
		})
		if !about || e.GetKind() == audit.KindReplicated || e.GetKind() == audit.KindShareGiven || e.GetKind() == audit.KindErasureAttested {
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
