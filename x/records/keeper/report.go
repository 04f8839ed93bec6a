package keeper

import (
	"context"
	"errors"
	"strconv"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

// ReportAccess writes the reads that a hospital's gateway served or refused.
// Numbers rise within a message, and what was reported before is skipped, so that
// a gateway may send its journal again after a crash. A report is evidence of
// what a gateway says it did: a reader or version that the chain does not know is
// recorded as it was reported.
func (s msgServer) ReportAccess(ctx context.Context, msg *records.MsgReportAccess) (*records.MsgReportAccessResponse, error) {
	node, err := s.consortium.Principal(ctx, msg.Node)
	if err != nil {
		return nil, err
	}
	if node.Role != consortium.ROLE_NODE || !node.Active || node.Hospital == 0 {
		return nil, records.ErrUnauthorized.Wrapf("%q: want the node account of an active member", msg.Node)
	}
	if n := len(msg.Reports); n < 1 || n > records.MaxReports {
		return nil, records.ErrInvalidReport.Wrapf("got %d reports, want 1 to %d", n, records.MaxReports)
	}
	for i, report := range msg.Reports {
		if err := report.Validate(); err != nil {
			return nil, err
		}
		if i > 0 && report.Number <= msg.Reports[i-1].Number {
			return nil, records.ErrInvalidReport.Wrapf("report %d after report %d: numbers must rise", report.Number, msg.Reports[i-1].Number)
		}
	}
	last, err := s.lastReport(ctx, node.Hospital)
	if err != nil {
		return nil, err
	}
	var entries []audit.Entry
	for _, report := range msg.Reports {
		if report.Number <= last {
			continue
		}
		entry, err := s.opened(ctx, report)
		if err != nil {
			return nil, err
		}
		entry.Target = strconv.FormatUint(node.Hospital, 10)
		entries = append(entries, entry)
		last = report.Number
	}
	if len(entries) == 0 {
		return &records.MsgReportAccessResponse{}, nil
	}
	if err := s.reported.Set(ctx, node.Hospital, last); err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if _, err := s.audit.Append(ctx, entry); err != nil {
			return nil, err
		}
	}
	return &records.MsgReportAccessResponse{Written: uint32(len(entries))}, nil
}

// opened is the entry of one report.
func (k *Keeper) opened(ctx context.Context, report records.AccessReport) (audit.Entry, error) {
	_, entry, err := k.consortium.Actor(ctx, report.Reader)
	if errors.Is(err, consortium.ErrUnknownAccount) {
		entry, err = audit.Entry{Actor: report.Reader}, nil
	}
	if err != nil {
		return audit.Entry{}, err
	}
	r, err := k.Record(ctx, report.Record)
	if err != nil && !errors.Is(err, records.ErrUnknownRecord) {
		return audit.Entry{}, err
	}
	entry.Kind = audit.KindOpened
	entry.Patient = r.Patient
	entry.Subjects = []audit.Subject{{Record: report.Record, Version: report.Version, Offset: report.Offset, Length: report.Length}}
	entry.Unlock = report.Unlock
	entry.Count = report.Length
	entry.Outcome = audit.OUTCOME_OK
	if report.Refused {
		// A gateway of before refusals were counted reports none.
		entry.Outcome, entry.Reason, entry.Count = audit.OUTCOME_REFUSED, records.ReasonRefusedByGateway, max(report.Refusals, 1)
	}
	return entry, nil
}

// lastReport is the number of a member's last access report, 0 for none.
func (k *Keeper) lastReport(ctx context.Context, member uint64) (uint64, error) {
	number, err := k.reported.Get(ctx, member)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return number, err
}
