package gateway

import (
	"context"
	"slices"
	"strings"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
)

// kindLogRead is the kind of an entry that says that the log was read.
const kindLogRead = "log_read"

// Notice says that something happened, and nothing about anybody's health: whose it is, why it was done and to whom stands in the entry of
// that sequence, for who may read it.
type Notice struct {
	// Sequence of the entry in the log.
	Sequence uint64 `json:"sequence"`
	// Height of the block.
	Height int64 `json:"height"`
	// Time of the block.
	Time time.Time `json:"time"`
	// Kind of the entry: proposed, approved, released and so on.
	Kind string `json:"kind"`
	// Outcome is "ok" or "refused".
	Outcome string `json:"outcome"`
	// Unlock is the random id of the unlock, or of the emergency; empty where there is none.
	Unlock string `json:"unlock,omitempty"`
	// Records are the random ids of the records.
	Records []string `json:"records,omitempty"`
}

func noticeOf(e *auditv1.Entry) Notice {
	n := Notice{
		Sequence: e.GetSequence(), Height: e.GetHeight(), Time: time.Unix(e.GetTime(), 0).UTC(), Kind: e.GetKind(), Outcome: "ok",
		Unlock: e.GetUnlock(),
	}
	if e.GetOutcome() == auditv1.Outcome_OUTCOME_REFUSED {
		n.Outcome = "refused"
	}
	for _, s := range e.GetSubjects() {
		if !slices.Contains(n.Records, s.GetRecord()) {
			n.Records = append(n.Records, s.GetRecord())
		}
	}
	return n
}

// ofEmergency and ofRecovery tell what an entry is about by its kind.
func ofEmergency(e *auditv1.Entry) bool {
	switch e.GetKind() {
	case "emergency_requested", "emergency_approved", "emergency_due", "emergency_reviewed":
		return true
	}
	return false
}

func ofRecovery(e *auditv1.Entry) bool {
	return strings.HasPrefix(e.GetKind(), "recovery_") || e.GetKind() == "wallet_recovered"
}

// changesGuardians tells whether somebody may have other guardians from an entry on.
func changesGuardians(e *auditv1.Entry) bool { return strings.HasPrefix(e.GetKind(), "guardians_") }

// A follower is somebody who is told of the log from a sequence on.
type follower struct {
	feed  *feed
	scope *scope
	// who is the one who is told, now.
	who func(ctx context.Context) (caller, error)
	// pace is called for each page that was read for this one alone.
	pace func(ctx context.Context, c caller) error

	cursor  uint64 // up to here everything was judged
	guarded map[string]bool
	stale   bool // guarded may have changed
}

// next judges one page and moves the cursor to its end. more is false at the end of the log.
func (f *follower) next(ctx context.Context) (notices []Notice, more bool, err error) {
	entries, recalled, err := f.feed.after(ctx, f.cursor)
	if err != nil || len(entries) == 0 {
		return nil, false, err
	}
	c, err := f.who(ctx)
	if err != nil {
		return nil, false, err
	}
	if recalled {
		if err := f.pace(ctx, c); err != nil {
			return nil, false, err
		}
	}
	for _, e := range entries {
		concerned, err := f.concerns(ctx, c, e)
		if err != nil {
			return nil, false, err
		}
		if concerned {
			notices = append(notices, noticeOf(e))
		}
	}
	f.cursor = entries[len(entries)-1].GetSequence()
	return notices, true, nil
}

// wait returns when the log has grown beyond the cursor, after a while, or when one of the channels is closed.
func (f *follower) wait(ctx context.Context, longest time.Duration, ended <-chan struct{}) {
	grown := f.feed.grown.Rung()
	if size, _ := f.feed.end(); size > f.cursor {
		return
	}
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-grown:
	case <-timer.C:
	case <-ended:
	case <-ctx.Done():
	}
}

// concerns tells whether an entry is the caller's business: who may read the entry, a party to the unlock, an officer where it is an
// emergency or a recovery, and the guardians of whom an emergency or a recovery is about.
func (f *follower) concerns(ctx context.Context, c caller, e *auditv1.Entry) (bool, error) {
	f.stale = f.stale || changesGuardians(e)
	if reads, err := f.scope.readsEntry(ctx, c, e); err != nil || reads {
		return reads, err
	}
	if ofEmergency(e) || ofRecovery(e) {
		if c.is(roleOfficer) {
			return true, nil
		}
		return f.guards(ctx, c, e.GetPatient())
	}
	if e.GetUnlock() == "" || !c.is(roleOfficer, roleClinician) {
		return false, nil
	}
	return f.scope.isPartyOf(ctx, c, e.GetUnlock())
}

// guards tells whether the caller is a guardian of a patient now.
func (f *follower) guards(ctx context.Context, c caller, patient string) (bool, error) {
	if !c.isPatient() || c.patient == "" || patient == "" {
		return false, nil
	}
	if f.guarded == nil || f.stale {
		guarded, err := f.scope.guardedBy(ctx, c.patient)
		if err != nil {
			return false, err
		}
		f.guarded, f.stale = guarded, false
	}
	return f.guarded[patient], nil
}

// guardedBy reads whose guardian a patient is.
func (s *scope) guardedBy(ctx context.Context, patient string) (map[string]bool, error) {
	guarded := map[string]bool{}
	page := &queryv1.PageRequest{Limit: 200}
	for {
		got, err := accessv1.NewQueryClient(s.node).Guarded(plain(ctx), &accessv1.QueryGuardedRequest{Guardian: patient, Pagination: page})
		if err != nil {
			return nil, err
		}
		for _, g := range got.GetGuarded() {
			guarded[g.GetPatient()] = true
		}
		if page.Key = got.GetPagination().GetNextKey(); len(page.Key) == 0 {
			return guarded, nil
		}
	}
}
