package phr

import (
	"context"
	"iter"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
)

// LogFilter says which entries of the log are wanted; every field that is set must match. The log shows an account what
// is about itself or made by its hospital, and an auditor all of it, or what concerns the auditor's hospitals.
type LogFilter struct {
	// Patient number, Record id, Actor's address, Kind of entry, and hex id of an Unlock.
	Patient, Record, Actor, Kind, Unlock string
	// Hospital is a member's number; 0 for any.
	Hospital uint64
	// From and To are unix seconds of block time, From inclusive and To exclusive; 0 for any.
	From, To int64
	// Purpose is a code of HL7 v3 ActReason. Kinds are up to 16 kinds, of which an entry has one.
	Purpose string
	Kinds   []string
	// Concerns are members' numbers: entries that concern any of them, by whoever they were made. None for any.
	Concerns []uint64
}

// Log lists the entries that match, newest first.
func (c *Client) Log(ctx context.Context, f LogFilter) iter.Seq2[*auditv1.Entry, error] {
	return func(yield func(*auditv1.Entry, error) bool) {
		request := &auditv1.QueryEntriesRequest{
			Patient: f.Patient, Record: f.Record, Actor: f.Actor, Kind: f.Kind, Unlock: f.Unlock, Hospital: f.Hospital, From: f.From, To: f.To,
			Purpose: f.Purpose, Kinds: f.Kinds, Concerns: f.Concerns, Limit: pageSize,
		}
		for {
			answer, err := auditv1.NewQueryClient(c).Entries(ctx, request)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range answer.GetEntries() {
				if !yield(e, nil) {
					return
				}
			}
			if request.Before = answer.GetNext(); request.Before == 0 {
				return
			}
		}
	}
}

// Entry is one line of the log by its sequence.
func (c *Client) Entry(ctx context.Context, sequence uint64) (*auditv1.Entry, error) {
	answer, err := auditv1.NewQueryClient(c).Entry(ctx, &auditv1.QueryEntryRequest{Sequence: sequence})
	return answer.GetEntry(), err
}

// LogHead is the number of entries of the log and the Merkle root over all of them.
func (c *Client) LogHead(ctx context.Context) (size uint64, root []byte, err error) {
	answer, err := auditv1.NewQueryClient(c).Head(ctx, &auditv1.QueryHeadRequest{})
	return answer.GetSize(), answer.GetRoot(), err
}
