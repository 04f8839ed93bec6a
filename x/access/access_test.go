package access_test

import (
	"crypto/sha256"
	"math/rand/v2"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
)

func TestParamsBounds(t *testing.T) {
	require.NoError(t, access.DefaultParams().Validate())
	for _, c := range []struct {
		name   string
		params access.Params
		valid  bool
	}{
		{"least", access.Params{Endorsements: 1, MaxLifetime: 60, MaxOpen: 1}, true},
		{"most", access.Params{Endorsements: 8, MaxLifetime: 14 * 24 * 3600, MaxOpen: 64}, true},
		{"no endorsement", access.Params{Endorsements: 0, MaxLifetime: 60, MaxOpen: 1}, false},
		{"too many endorsements", access.Params{Endorsements: 9, MaxLifetime: 60, MaxOpen: 1}, false},
		{"no time", access.Params{Endorsements: 1, MaxLifetime: 59, MaxOpen: 1}, false},
		{"for ever", access.Params{Endorsements: 1, MaxLifetime: 14*24*3600 + 1, MaxOpen: 1}, false},
		{"none open", access.Params{Endorsements: 1, MaxLifetime: 60, MaxOpen: 0}, false},
		{"too many open", access.Params{Endorsements: 1, MaxLifetime: 60, MaxOpen: 65}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.params.Validate(); c.valid {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, access.ErrInvalidParams)
			}
		})
	}
}

func TestParseUnlockID(t *testing.T) {
	id, err := access.ParseUnlockID(strings.Repeat("0f", 32))
	require.NoError(t, err)
	require.EqualValues(t, 0x0f, id[31])
	for _, text := range []string{"", "0f", strings.Repeat("0F", 32), strings.Repeat("0f", 33), strings.Repeat("0g", 32), " " + strings.Repeat("0f", 31) + "0"} {
		_, err := access.ParseUnlockID(text)
		require.ErrorIs(t, err, access.ErrInvalidUnlock, text)
	}
}

func TestCheckPurpose(t *testing.T) {
	for _, purpose := range []string{"T", "TREAT", "ABCDEFGHIJKLMNOP", "0123456789"} {
		require.NoError(t, access.CheckPurpose(purpose))
	}
	for _, purpose := range []string{"", "treat", "ABCDEFGHIJKLMNOPQ", "A B", "A\n", "Ä", "A-B"} {
		require.ErrorIs(t, access.CheckPurpose(purpose), access.ErrInvalidPurpose, purpose)
	}
}

func TestStatus(t *testing.T) {
	const now = 1000
	signed := []access.Endorsement{{Officer: "a"}}
	for _, c := range []struct {
		name   string
		unlock access.Unlock
		want   access.UnlockStatus
		open   bool
		reason string
	}{
		{"proposed", access.Unlock{EndorsementsNeeded: 1}, access.UNLOCK_STATUS_PROPOSED, true, "not_endorsed"},
		{"half endorsed", access.Unlock{EndorsementsNeeded: 2, Endorsements: signed}, access.UNLOCK_STATUS_PROPOSED, true, "not_endorsed"},
		{"endorsed", access.Unlock{EndorsementsNeeded: 1, Endorsements: signed}, access.UNLOCK_STATUS_ENDORSED, true, "already_endorsed"},
		{"own reading", access.Unlock{}, access.UNLOCK_STATUS_ENDORSED, true, "already_endorsed"},
		{"approved", access.Unlock{Approval: &access.Approval{}}, access.UNLOCK_STATUS_APPROVED, true, "already_approved"},
		{"released", access.Unlock{Approval: &access.Approval{}, ReleasedAt: 1}, access.UNLOCK_STATUS_RELEASED, true, "already_approved"},
		{"denied", access.Unlock{DeniedBy: "a"}, access.UNLOCK_STATUS_DENIED, false, "denied"},
		{"withdrawn", access.Unlock{WithdrawnBy: "a", ReleasedAt: 1}, access.UNLOCK_STATUS_WITHDRAWN, false, "withdrawn"},
		{"withdrawn too late", access.Unlock{WithdrawnBy: "a", MayBeOpened: true}, access.UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED, false, "withdrawn"},
		{"expired", access.Unlock{Expired: true, ReleasedAt: 1}, access.UNLOCK_STATUS_EXPIRED, false, "expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.unlock.ExpiresAt = now + 1
			status := c.unlock.Status(now)
			require.Equal(t, c.want, status)
			require.Equal(t, c.open, status.IsOpen())
			require.Equal(t, c.reason, status.Reason())
			c.unlock.ExpiresAt = now
			if c.open {
				require.Equal(t, access.UNLOCK_STATUS_EXPIRED, c.unlock.Status(now), "the second of the expiry is too late")
			} else {
				require.Equal(t, c.want, c.unlock.Status(now))
			}
		})
	}
	require.Empty(t, access.UNLOCK_STATUS_UNSPECIFIED.Reason())
	require.False(t, access.UNLOCK_STATUS_UNSPECIFIED.IsOpen())
}

func TestShown(t *testing.T) {
	u := access.Unlock{Hospital: 2, Purpose: "TREAT", ExpiresAt: 1769846400, Versions: []access.UnlockVersion{{Record: "B", Version: 1}, {Record: "B", Version: 12}}}
	shown := u.Shown("St. Mary")
	require.Equal(t, access.Shown{Hospital: "St. Mary", Purpose: "TREAT", Records: []string{"B/1", "B/12"}, Until: "2026-01-31T08:00:00Z"}, shown)
	require.Empty(t, shown.Differs(&access.MsgApproveUnlock{Hospital: "St. Mary", Purpose: "TREAT", Records: []string{"B/1", "B/12"}, Until: "2026-01-31T08:00:00Z"}))
	require.Equal(t, []audit.Subject{{Record: "B", Version: 1}, {Record: "B", Version: 12}}, u.Subjects())
	u.Hospital = 0
	require.Equal(t, "own reading", u.Shown("").Hospital)
}

// maker makes things that are well formed and the same at each run.
type maker struct {
	t      *testing.T
	random *rand.ChaCha8
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	return &maker{t, rand.NewChaCha8([32]byte{2})}
}

func (m *maker) bytes(n int) []byte {
	b := make([]byte, n)
	_, err := m.random.Read(b)
	require.NoError(m.t, err)
	return b
}

func (m *maker) raw() string { return lock.RawCID(sha256.Sum256(m.bytes(8))).String() }

func (m *maker) point() []byte {
	s, err := lock.RandomScalar(m.random)
	require.NoError(m.t, err)
	return s.Public().Bytes()
}

func (m *maker) proposal() *access.MsgProposeUnlock {
	record := lock.ID(m.bytes(16)).String()
	return &access.MsgProposeUnlock{
		Requester: sdk.AccAddress(m.bytes(20)).String(), Purpose: "TREAT", ExpiresAt: 1, RequestKey: m.raw(), B: m.point(), Proof: m.bytes(64),
		Records: []string{record, record}, Versions: []uint64{1, 2}, M: [][]byte{m.point(), m.point()},
	}
}

// generator is G, which nobody may use as B.
var generator = []byte{
	0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
	0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
}

func TestProposalValidate(t *testing.T) {
	m := newMaker(t)
	require.NoError(t, m.proposal().Validate())
	smaller := lock.ID{}.String()
	for _, c := range []struct {
		name   string
		change func(*access.MsgProposeUnlock)
		err    error
	}{
		{"no purpose", func(p *access.MsgProposeUnlock) { p.Purpose = "" }, access.ErrInvalidPurpose},
		{"a guardian's purpose", func(p *access.MsgProposeUnlock) { p.Purpose = "GUARDIAN" }, access.ErrInvalidPurpose},
		{"no expiry", func(p *access.MsgProposeUnlock) { p.ExpiresAt = 0 }, access.ErrInvalidExpiry},
		{"expiry before the epoch", func(p *access.MsgProposeUnlock) { p.ExpiresAt = -1 }, access.ErrInvalidExpiry},
		{"no key", func(p *access.MsgProposeUnlock) { p.RequestKey = "" }, access.ErrInvalidCID},
		{"a dag as key", func(p *access.MsgProposeUnlock) { p.RequestKey = lock.DagCID([32]byte{1}).String() }, access.ErrInvalidCID},
		{"no B", func(p *access.MsgProposeUnlock) { p.B = nil }, access.ErrInvalidPoint},
		{"B is the identity", func(p *access.MsgProposeUnlock) { p.B = make([]byte, 32) }, access.ErrInvalidPoint},
		{"B is G", func(p *access.MsgProposeUnlock) { p.B = generator }, access.ErrInvalidPoint},
		{"M is the identity", func(p *access.MsgProposeUnlock) { p.M[1] = make([]byte, 32) }, access.ErrInvalidPoint},
		{"M is no point", func(p *access.MsgProposeUnlock) { p.M[0] = []byte(strings.Repeat("\xff", 32)) }, access.ErrInvalidPoint},
		{"short proof", func(p *access.MsgProposeUnlock) { p.Proof = p.Proof[:63] }, access.ErrInvalidProof},
		{"long proof", func(p *access.MsgProposeUnlock) { p.Proof = append(p.Proof, 0) }, access.ErrInvalidProof},
		{"nothing", func(p *access.MsgProposeUnlock) { p.Records, p.Versions, p.M = nil, nil, nil }, access.ErrInvalidVersions},
		{"a version less", func(p *access.MsgProposeUnlock) { p.Versions = p.Versions[:1] }, access.ErrInvalidVersions},
		{"a point less", func(p *access.MsgProposeUnlock) { p.M = p.M[:1] }, access.ErrInvalidVersions},
		{"version 0", func(p *access.MsgProposeUnlock) { p.Versions[0] = 0 }, access.ErrInvalidVersions},
		{"version 2^63", func(p *access.MsgProposeUnlock) { p.Versions[1] = 1 << 63 }, access.ErrInvalidVersions},
		{"a version twice", func(p *access.MsgProposeUnlock) { p.Versions[1] = 1 }, access.ErrInvalidVersions},
		{"versions fall", func(p *access.MsgProposeUnlock) { p.Versions[0] = 3 }, access.ErrInvalidVersions},
		{"records fall", func(p *access.MsgProposeUnlock) { p.Records[1] = smaller }, access.ErrInvalidVersions},
		{"a record in lower case", func(p *access.MsgProposeUnlock) { p.Records[1] = strings.ToLower(p.Records[1]) }, access.ErrInvalidVersions},
		{"a record that is no id", func(p *access.MsgProposeUnlock) { p.Records[1] = "x" }, access.ErrInvalidVersions},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := m.proposal()
			c.change(p)
			require.ErrorIs(t, p.Validate(), c.err)
		})
	}
}

// genesis has one approved unlock that waits for its release.
func (m *maker) genesis() *access.GenesisState {
	p := m.proposal()
	u := access.Unlock{
		Id: strings.Repeat("0f", 32), Requester: p.Requester, Hospital: 2, Purpose: p.Purpose, ExpiresAt: 20, ProposedAt: 10, RequestKey: p.RequestKey,
		B: p.B, Proof: p.Proof, Patient: lock.ID(m.bytes(16)).String(), Custodian: 1, EndorsementsNeeded: 1,
		Endorsements: []access.Endorsement{{Officer: p.Requester, At: 11}}, Approval: &access.Approval{By: p.Requester, Capsule: m.raw(), At: 12, Height: 3},
	}
	for i, record := range p.Records {
		u.Versions = append(u.Versions, access.UnlockVersion{Record: record, Version: p.Versions[i], M: p.M[i]})
	}
	consent := access.Consent{
		Number: 1, Patient: u.Patient, Hospital: 2, Classes: []records.Class{records.CLASS_IMAGING}, Purpose: u.Purpose, Until: 30, UsesADay: 1,
	}
	other := consent
	other.Number, other.Patient = 2, lock.ID(m.bytes(16)).String()
	return &access.GenesisState{
		Params: access.DefaultParams(), Unlocks: []access.Unlock{u}, Approved: []string{u.Id}, Consents: []access.Consent{consent, other},
	}
}

func TestGenesisValidate(t *testing.T) {
	m := newMaker(t)
	require.NoError(t, access.DefaultGenesis().Validate())
	require.NoError(t, m.genesis().Validate())
	for _, c := range []struct {
		name   string
		change func(*access.GenesisState)
		err    error
	}{
		{"no parameters", func(g *access.GenesisState) { g.Params = access.Params{} }, access.ErrInvalidParams},
		{"an unlock twice", func(g *access.GenesisState) { g.Unlocks = append(g.Unlocks, g.Unlocks[0]) }, access.ErrInvalidGenesis},
		{"a B twice", func(g *access.GenesisState) {
			u := g.Unlocks[0]
			u.Id, u.RequestKey = strings.Repeat("0e", 32), m.raw()
			g.Unlocks = append(g.Unlocks, u)
		}, access.ErrInvalidGenesis},
		{"a one-time key twice", func(g *access.GenesisState) {
			u := g.Unlocks[0]
			u.Id, u.B = strings.Repeat("0e", 32), m.point()
			g.Unlocks = append(g.Unlocks, u)
		}, access.ErrInvalidGenesis},
		{"an id that is none", func(g *access.GenesisState) { g.Unlocks[0].Id = "0f" }, access.ErrInvalidGenesis},
		{"no requester", func(g *access.GenesisState) { g.Unlocks[0].Requester = "" }, access.ErrInvalidGenesis},
		{"no purpose", func(g *access.GenesisState) { g.Unlocks[0].Purpose = "" }, access.ErrInvalidGenesis},
		{"no custodian", func(g *access.GenesisState) { g.Unlocks[0].Custodian = 0 }, access.ErrInvalidGenesis},
		{"no lifetime", func(g *access.GenesisState) { g.Unlocks[0].ExpiresAt = 10 }, access.ErrInvalidGenesis},
		{"a patient that is no id", func(g *access.GenesisState) { g.Unlocks[0].Patient = "1" }, access.ErrInvalidGenesis},
		{"no versions", func(g *access.GenesisState) { g.Unlocks[0].Versions = nil }, access.ErrInvalidGenesis},
		{"versions turned round", func(g *access.GenesisState) {
			v := g.Unlocks[0].Versions
			v[0], v[1] = v[1], v[0]
		}, access.ErrInvalidGenesis},
		{"a lock that is no point", func(g *access.GenesisState) { g.Unlocks[0].Versions[0].U = make([]byte, 32) }, access.ErrInvalidGenesis},
		{"waiting twice", func(g *access.GenesisState) { g.Approved = append(g.Approved, g.Approved[0]) }, access.ErrInvalidGenesis},
		{"waiting without approval", func(g *access.GenesisState) { g.Unlocks[0].Approval = nil }, access.ErrInvalidGenesis},
		{"waiting after the end", func(g *access.GenesisState) { g.Unlocks[0].Expired = true }, access.ErrInvalidGenesis},
		{"waiting after the release", func(g *access.GenesisState) { g.Unlocks[0].ReleasedAt = 13 }, access.ErrInvalidGenesis},
		{"approved by a consent that there is not", func(g *access.GenesisState) {
			g.Unlocks[0].Approval.Consent, g.Unlocks[0].Approval.Capsule = 3, ""
		}, access.ErrInvalidGenesis},
		{"approved by another patient's consent", func(g *access.GenesisState) {
			g.Unlocks[0].Approval.Consent, g.Unlocks[0].Approval.Capsule = 2, ""
		}, access.ErrInvalidGenesis},
		{"approved by a consent, with a capsule", func(g *access.GenesisState) { g.Unlocks[0].Approval.Consent = 1 }, access.ErrInvalidGenesis},
		{"a consent left out", func(g *access.GenesisState) { g.Consents = g.Consents[1:] }, access.ErrInvalidGenesis},
		{"a consent of nobody", func(g *access.GenesisState) { g.Consents[1].Patient = "" }, access.ErrInvalidGenesis},
		{"a consent to nothing", func(g *access.GenesisState) { g.Consents[1].Classes = nil }, access.ErrInvalidGenesis},
		{"waiting for nothing", func(g *access.GenesisState) { g.Approved[0] = strings.Repeat("0e", 32) }, access.ErrInvalidGenesis},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := m.genesis()
			c.change(g)
			require.ErrorIs(t, g.Validate(), c.err)
		})
	}
}
