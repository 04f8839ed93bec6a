package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// ReportSessions writes who logged in and out at a hospital's gateway, who read the log there, and who left or collected a pepper. Numbers rise within
// a message, and what was reported before is skipped, so that a gateway may send its journal again after a crash. A
// report is evidence of what a gateway says happened: it is about the gateway's hospital, which is the entry's target.
func (s msgServer) ReportSessions(ctx context.Context, msg *consortium.MsgReportSessions) (*consortium.MsgReportSessionsResponse, error) {
	node, byNode, err := s.Actor(ctx, msg.Node)
	if err != nil {
		return nil, err
	}
	if node.Role != consortium.ROLE_NODE || !node.Active || node.Hospital == 0 {
		return nil, consortium.ErrUnauthorized.Wrapf("%q: want the node account of an active member", msg.Node)
	}
	if err := checkSessionReports(msg.Reports); err != nil {
		return nil, err
	}
	last, err := s.lastSessionReport(ctx, node.Hospital)
	if err != nil {
		return nil, err
	}
	var entries []audit.Entry
	for _, report := range msg.Reports {
		if report.Number <= last {
			continue
		}
		entry, err := s.happened(ctx, report, byNode)
		if err != nil {
			return nil, err
		}
		entries, last = append(entries, entry), report.Number
	}
	if len(entries) == 0 {
		return &consortium.MsgReportSessionsResponse{}, nil
	}
	if err := s.sessionsReported.Set(ctx, node.Hospital, last); err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if _, err := s.audit.Append(ctx, entry); err != nil {
			return nil, err
		}
	}
	return &consortium.MsgReportSessionsResponse{Written: uint32(len(entries))}, nil
}

// checkSessionReports looks at all reports of a message before any is written.
func checkSessionReports(reports []consortium.SessionReport) error {
	if n := len(reports); n < 1 || n > consortium.MaxSessionReports {
		return consortium.ErrInvalidReport.Wrapf("got %d reports, want 1 to %d", n, consortium.MaxSessionReports)
	}
	for i, report := range reports {
		if err := report.Validate(); err != nil {
			return err
		}
		if i > 0 && report.Number <= reports[i-1].Number {
			return consortium.ErrInvalidReport.Wrapf("report %d after report %d: numbers must rise", report.Number, reports[i-1].Number)
		}
	}
	return nil
}

// happened is the entry of one report. What was tried as nobody is an entry of the gateway's own node. The owner of an account, and
// the patient whose entries were shown, have it in their log.
func (k *Keeper) happened(ctx context.Context, report consortium.SessionReport, byNode audit.Entry) (audit.Entry, error) {
	entry, patient := byNode, report.Patient
	if report.Account != "" {
		who, byAccount, err := k.Actor(ctx, report.Account)
		if errors.Is(err, consortium.ErrUnknownAccount) {
			who, byAccount, err = consortium.Principal{}, audit.Entry{Actor: report.Account}, nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		entry = byAccount
		if report.Patient == "" && report.Kind != consortium.SESSION_KIND_LOG_READ {
			patient = who.Patient
		}
	}
	// A number that was made up begins no chain of entries.
	if patient != "" {
		known, err := k.audit.HasSubject(ctx, patient)
		if err != nil {
			return audit.Entry{}, err
		}
		if known {
			entry.Patient = patient
		}
	}
	entry.Kind, entry.Target, entry.Unlock, entry.Count = report.Kind.AuditKind(), text(byNode.Hospital), report.Unlock, report.Count
	if report.Read != "" {
		entry.Target += "/" + report.Read
	}
	if report.Way != "" {
		entry.Target += "/" + report.Way
	}
	if report.Record != "" {
		entry.Subjects = []audit.Subject{{Record: report.Record}}
	}
	entry.Outcome, entry.Reason = audit.OUTCOME_OK, report.Reason
	if report.Refused {
		entry.Reason = consortium.ReasonRefusedByGateway
	}
	if entry.Reason != "" {
		entry.Outcome = audit.OUTCOME_REFUSED
	}
	return entry, nil
}

// lastSessionReport is the number of a member's last session report, 0 for none.
func (k *Keeper) lastSessionReport(ctx context.Context, member uint64) (uint64, error) {
	number, err := k.sessionsReported.Get(ctx, member)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return number, err
}

// SessionsReported returns the number of the last session report of a member.
func (q queryServer) SessionsReported(ctx context.Context, req *consortium.QuerySessionsReportedRequest) (*consortium.QuerySessionsReportedResponse, error) {
	number, err := q.k.lastSessionReport(ctx, req.GetMember())
	if err != nil {
		return nil, asStatus(err)
	}
	return &consortium.QuerySessionsReportedResponse{Number: number}, nil
}
