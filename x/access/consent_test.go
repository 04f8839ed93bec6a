package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

func (m *maker) grant() *access.MsgGrantConsent {
	return &access.MsgGrantConsent{
		Owner: m.proposal().Requester, Hospital: "St. Mary", Member: 2, To: "ward 12", What: []string{"document", "imaging"}, Purpose: "TREAT",
		Until: "2027-01-31T08:00:00Z", UsesADay: 3,
	}
}

// One thing is said in one way, so that what a wallet shows is what counts.
func TestGrantIsReadInOneWay(t *testing.T) {
	m := newMaker(t)
	c, err := m.grant().Consent()
	require.NoError(t, err)
	require.Equal(t, access.Consent{
		Hospital: 2, Ward: 12, Classes: []records.Class{records.CLASS_IMAGING, records.CLASS_DOCUMENT}, Purpose: "TREAT",
		Until: time.Date(2027, 1, 31, 8, 0, 0, 0, time.UTC).Unix(), UsesADay: 3,
	}, c)
	require.Equal(t, "ward 12", c.To())
	for _, to := range []string{m.proposal().Requester, access.AllClinicians, "ward 65535"} {
		msg := m.grant()
		msg.To = to
		c, err := msg.Consent()
		require.NoError(t, err)
		require.Equal(t, to, c.To())
	}
	record := lock.ID(m.bytes(16)).String()
	for _, c := range []struct {
		name   string
		change func(*access.MsgGrantConsent)
		err    error
	}{
		{"no hospital", func(g *access.MsgGrantConsent) { g.Member = 0 }, access.ErrInvalidConsent},
		{"to nobody", func(g *access.MsgGrantConsent) { g.To = "" }, access.ErrInvalidConsent},
		{"to a name", func(g *access.MsgGrantConsent) { g.To = "Dr Weber" }, access.ErrInvalidConsent},
		{"to ward 0", func(g *access.MsgGrantConsent) { g.To = "ward 0" }, access.ErrInvalidConsent},
		{"to a ward too high", func(g *access.MsgGrantConsent) { g.To = "ward 65536" }, access.ErrInvalidConsent},
		{"to a ward with a zero before", func(g *access.MsgGrantConsent) { g.To = "ward 012" }, access.ErrInvalidConsent},
		{"to a ward with a sign", func(g *access.MsgGrantConsent) { g.To = "ward +12" }, access.ErrInvalidConsent},
		{"nothing", func(g *access.MsgGrantConsent) { g.What = nil }, access.ErrInvalidConsent},
		{"an unknown word", func(g *access.MsgGrantConsent) { g.What = []string{"everything"} }, access.ErrInvalidConsent},
		{"a word twice", func(g *access.MsgGrantConsent) { g.What = []string{"imaging", "imaging"} }, access.ErrInvalidConsent},
		{"words out of order", func(g *access.MsgGrantConsent) { g.What = []string{"imaging", "document"} }, access.ErrInvalidConsent},
		{"a class and a record", func(g *access.MsgGrantConsent) { g.What = []string{record, "imaging"} }, access.ErrInvalidConsent},
		{"too many records", func(g *access.MsgGrantConsent) {
			g.What = make([]string, access.MaxConsentRecords+1)
		}, access.ErrInvalidConsent},
		{"no purpose", func(g *access.MsgGrantConsent) { g.Purpose = "" }, access.ErrInvalidPurpose},
		{"no end", func(g *access.MsgGrantConsent) { g.Until = "" }, access.ErrInvalidExpiry},
		{"another time zone", func(g *access.MsgGrantConsent) { g.Until = "2027-01-31T08:00:00+01:00" }, access.ErrInvalidExpiry},
		{"parts of seconds", func(g *access.MsgGrantConsent) { g.Until = "2027-01-31T08:00:00.5Z" }, access.ErrInvalidExpiry},
		{"no uses", func(g *access.MsgGrantConsent) { g.UsesADay = 0 }, access.ErrInvalidConsent},
		{"too many uses", func(g *access.MsgGrantConsent) { g.UsesADay = access.MaxUsesADay + 1 }, access.ErrInvalidConsent},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := m.grant()
			c.change(msg)
			_, err := msg.Consent()
			require.ErrorIs(t, err, c.err)
		})
	}
}

func TestConsentStatus(t *testing.T) {
	for _, c := range []struct {
		name    string
		consent access.Consent
		want    access.ConsentStatus
	}{
		{"live", access.Consent{Until: 101}, access.CONSENT_STATUS_LIVE},
		{"at its end", access.Consent{Until: 100}, access.CONSENT_STATUS_ENDED},
		{"noted", access.Consent{Until: 100, Ended: true}, access.CONSENT_STATUS_ENDED},
		{"withdrawn", access.Consent{Until: 101, WithdrawnAt: 99}, access.CONSENT_STATUS_WITHDRAWN},
		{"withdrawn before its end", access.Consent{Until: 100, WithdrawnAt: 99}, access.CONSENT_STATUS_WITHDRAWN},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.consent.Status(100)) })
	}
}

func TestIsGrantedTo(t *testing.T) {
	doctor := consortium.Principal{Address: "a", Role: consortium.ROLE_CLINICIAN, Hospital: 2, Active: true, Wards: []uint32{7}}
	for _, c := range []struct {
		name    string
		consent access.Consent
		change  func(*consortium.Principal)
		want    bool
	}{
		{"by name", access.Consent{Hospital: 2, Staff: "a"}, nil, true},
		{"by another name", access.Consent{Hospital: 2, Staff: "b"}, nil, false},
		{"by ward", access.Consent{Hospital: 2, Ward: 7}, nil, true},
		{"by another ward", access.Consent{Hospital: 2, Ward: 8}, nil, false},
		{"by hospital", access.Consent{Hospital: 2}, nil, true},
		{"by another hospital", access.Consent{Hospital: 3}, nil, false},
		{"an officer", access.Consent{Hospital: 2}, func(p *consortium.Principal) { p.Role = consortium.ROLE_OFFICER }, false},
		{"who was revoked", access.Consent{Hospital: 2}, func(p *consortium.Principal) { p.Active = false }, false},
		{"who moved", access.Consent{Hospital: 2, Staff: "a"}, func(p *consortium.Principal) { p.Hospital = 3 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := doctor
			if c.change != nil {
				c.change(&p)
			}
			require.Equal(t, c.want, c.consent.IsGrantedTo(p))
		})
	}
}
