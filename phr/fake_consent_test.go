package phr_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
)

// consent carries out what is about consents and vaults of staff; nil where a message is about something else. The caller
// holds mu.
func (n *network) consent(signer string, msg proto.Message) proto.Message {
	switch m := msg.(type) {
	case *consortiumv1.MsgPublishStaffVault:
		n.principals[signer].VaultEpoch = m.Epoch
		n.staffKeys[signer] = slices.Concat(m.VaultKey...)
		return &consortiumv1.MsgPublishStaffVaultResponse{}
	case *accessv1.MsgGrantConsent:
		n.consents = append(n.consents, n.granted(signer, m))
		return &accessv1.MsgGrantConsentResponse{Outcome: ok, Consent: uint64(len(n.consents))}
	case *accessv1.MsgWithdrawConsent:
		n.consents[m.Consent-1].WithdrawnAt = time.Now().Unix()
		return &accessv1.MsgWithdrawConsentResponse{Outcome: ok}
	case *accessv1.MsgUseConsent:
		if n.refusesUse != "" {
			return &accessv1.MsgUseConsentResponse{Outcome: refused, Reason: n.refusesUse}
		}
		n.unlock(m.Unlock).Approval = &accessv1.Approval{By: n.consents[m.Consent-1].GrantedBy, Consent: m.Consent, At: time.Now().Unix(), Height: n.height}
		return &accessv1.MsgUseConsentResponse{Outcome: ok}
	}
	return nil
}

func (n *network) granted(signer string, m *accessv1.MsgGrantConsent) *accessv1.Consent {
	until, err := time.Parse(time.RFC3339, m.Until)
	if err != nil {
		n.t.Error(err)
	}
	c := &accessv1.Consent{
		Number: uint64(len(n.consents) + 1), Patient: n.principals[signer].Patient, GrantedBy: signer, Hospital: m.Member, Purpose: m.Purpose,
		Until: until.Unix(), UsesADay: m.UsesADay,
	}
	if _, err := fmt.Sscanf(m.To, "ward %d", &c.Ward); err != nil && m.To != "all clinicians" {
		c.Staff = m.To
	}
	for _, what := range m.What {
		if what == "imaging" {
			c.Classes = append(c.Classes, recordsv1.Class_CLASS_IMAGING)
		} else {
			c.Records = append(c.Records, what)
		}
	}
	return c
}

func consentStatus(c *accessv1.Consent) accessv1.ConsentStatus {
	switch {
	case c.WithdrawnAt != 0:
		return accessv1.ConsentStatus_CONSENT_STATUS_WITHDRAWN
	case time.Now().Unix() >= c.Until:
		return accessv1.ConsentStatus_CONSENT_STATUS_ENDED
	}
	return accessv1.ConsentStatus_CONSENT_STATUS_LIVE
}

// Consent implements accessv1.QueryServer.
func (s *accessServer) Consent(_ context.Context, r *accessv1.QueryConsentRequest) (*accessv1.QueryConsentResponse, error) {
	if r.Number < 1 || r.Number > uint64(len(s.net.consents)) {
		return nil, status.Error(codes.NotFound, "consent")
	}
	c := s.net.consents[r.Number-1]
	return &accessv1.QueryConsentResponse{Consent: c, Status: consentStatus(c)}, nil
}

// Consents implements accessv1.QueryServer.
func (s *accessServer) Consents(_ context.Context, r *accessv1.QueryConsentsRequest) (*accessv1.QueryConsentsResponse, error) {
	answer := &accessv1.QueryConsentsResponse{}
	for _, c := range slices.Backward(s.net.consents) {
		named := r.Patient != "" && r.Patient == c.Patient || r.Staff != "" && r.Staff == c.Staff ||
			r.Hospital != 0 && r.Hospital == c.Hospital && c.Staff == "" && r.Ward == c.Ward
		if named && (r.Status == 0 || r.Status == consentStatus(c)) {
			answer.Consents = append(answer.Consents, &accessv1.QueryConsentResponse{Consent: c, Status: consentStatus(c)})
		}
	}
	return answer, nil
}

// Grantees implements accessv1.QueryServer.
func (s *accessServer) Grantees(_ context.Context, r *accessv1.QueryGranteesRequest) (*accessv1.QueryGranteesResponse, error) {
	answer := &accessv1.QueryGranteesResponse{}
	for _, c := range s.net.consents {
		covers := slices.Contains(c.Classes, r.Class) || slices.Contains(c.Records, r.Record)
		if c.Patient != r.Patient || !covers || consentStatus(c) != accessv1.ConsentStatus_CONSENT_STATUS_LIVE {
			continue
		}
		g := &accessv1.Grantee{Hospital: c.Hospital, Staff: c.Staff, Epoch: 1, Key: s.net.members[c.Hospital-1].VaultKey}
		if c.Staff != "" {
			g.Epoch, g.Key = s.net.principals[c.Staff].VaultEpoch, s.net.staffKeys[c.Staff]
		}
		if !slices.ContainsFunc(answer.Grantees, func(known *accessv1.Grantee) bool { return string(known.Key) == string(g.Key) }) {
			answer.Grantees = append(answer.Grantees, g)
		}
	}
	return answer, nil
}
