package access_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
)

// A delay is said in one way, so that a wallet shows what counts.
func TestDelayIsSaidInOneWay(t *testing.T) {
	for text, want := range map[string]uint64{
		"7 days": 7 * 86400, "1 days": 86400, "60 days": access.MaxRecoveryDelay, "90 seconds": 90, "86399 seconds": 86399, "86401 seconds": 86401,
	} {
		got, err := access.ParseDelay(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		require.Equal(t, text, access.DelayText(got))
	}
	for _, text := range []string{
		"", "7", "days", " days", "7 day", "07 days", "+7 days", "-7 days", "7.0 days", "0 days", "0 seconds", "86400 seconds", "61 days", "5184001 seconds",
		"18446744073709551615 days", "7 weeks", "7  days",
	} {
		_, err := access.ParseDelay(text)
		require.ErrorIs(t, err, access.ErrInvalidGuardians, text)
	}
}

func naming(t *testing.T) *access.MsgSetGuardians {
	t.Helper()
	point := func(n byte) []byte {
		x, err := lock.ParseScalar(append([]byte{n}, make([]byte, 31)...))
		require.NoError(t, err)
		return x.Public().Bytes()
	}
	return &access.MsgSetGuardians{
		Owner: "owner", Guardians: []string{lock.ID{1}.String(), lock.ID{2}.String(), lock.ID{3}.String()}, Threshold: 2, Delay: "7 days",
		Slot: lock.ID{4}.String(), Revision: 1, Generation: 1, Commitments: [][]byte{point(2), point(3)}, U: point(4), UBar: point(5),
		Proof: make([]byte, 64), Shares: lock.RawCID([32]byte{6}).String(), SharesSize: 1, Hospital: 1,
	}
}

func TestGuardiansMustBeWellFormed(t *testing.T) {
	named, err := naming(t).Named()
	require.NoError(t, err)
	require.EqualValues(t, 7*86400, named.Delay)
	for name, c := range map[string]struct {
		change func(*access.MsgSetGuardians)
		want   error
	}{
		"one guardian":            {func(m *access.MsgSetGuardians) { m.Guardians = m.Guardians[:1] }, access.ErrInvalidGuardians},
		"nine guardians":          {func(m *access.MsgSetGuardians) { m.Guardians = make([]string, 9) }, access.ErrInvalidGuardians},
		"one alone opens":         {func(m *access.MsgSetGuardians) { m.Threshold = 1 }, access.ErrInvalidGuardians},
		"more than there are":     {func(m *access.MsgSetGuardians) { m.Threshold = 4 }, access.ErrInvalidGuardians},
		"one named twice":         {func(m *access.MsgSetGuardians) { m.Guardians[2] = m.Guardians[0] }, access.ErrInvalidGuardians},
		"no number":               {func(m *access.MsgSetGuardians) { m.Guardians[0] = "bob" }, access.ErrInvalidGuardians},
		"no delay":                {func(m *access.MsgSetGuardians) { m.Delay = "0 days" }, access.ErrInvalidGuardians},
		"no slot":                 {func(m *access.MsgSetGuardians) { m.Slot = "" }, access.ErrInvalidGuardians},
		"revision 0":              {func(m *access.MsgSetGuardians) { m.Revision = 0 }, access.ErrInvalidGuardians},
		"generation 0":            {func(m *access.MsgSetGuardians) { m.Generation = 0 }, access.ErrInvalidGuardians},
		"a commitment too few":    {func(m *access.MsgSetGuardians) { m.Commitments = m.Commitments[:1] }, access.ErrInvalidPoint},
		"a secret of zero":        {func(m *access.MsgSetGuardians) { m.Commitments[0] = make([]byte, 32) }, access.ErrInvalidPoint},
		"U the identity":          {func(m *access.MsgSetGuardians) { m.U = make([]byte, 32) }, access.ErrInvalidPoint},
		"a point not canonical":   {func(m *access.MsgSetGuardians) { m.UBar[31] = 0xff }, access.ErrInvalidPoint},
		"a short proof":           {func(m *access.MsgSetGuardians) { m.Proof = m.Proof[1:] }, access.ErrInvalidProof},
		"shares that are no leaf": {func(m *access.MsgSetGuardians) { m.Shares = lock.DagCID([32]byte{1}).String() }, access.ErrInvalidCID},
	} {
		m := naming(t)
		c.change(m)
		_, err := m.Named()
		require.ErrorIs(t, err, c.want, name)
	}
}

// An ending that somebody signed stands before the end by time.
func TestStatusOfRecovery(t *testing.T) {
	const guardians, hospitals = access.RECOVERY_WAY_GUARDIANS, access.RECOVERY_WAY_HOSPITALS
	for _, c := range []struct {
		name string
		r    access.Recovery
		want access.RecoveryStatus
	}{
		{"new", access.Recovery{Way: guardians, ExpiresAt: 200}, access.RECOVERY_STATUS_PROPOSED},
		{"approved", access.Recovery{Way: guardians, ExpiresAt: 200, Due: 101}, access.RECOVERY_STATUS_DELAYED},
		{"after the delay", access.Recovery{Way: guardians, ExpiresAt: 200, Due: 100}, access.RECOVERY_STATUS_DUE},
		{"by hospitals after the delay", access.Recovery{Way: hospitals, ExpiresAt: 200, Due: 100}, access.RECOVERY_STATUS_READY},
		{"by hospitals in the delay", access.Recovery{Way: hospitals, ExpiresAt: 200, Due: 101}, access.RECOVERY_STATUS_DELAYED},
		{"released", access.Recovery{Way: guardians, ExpiresAt: 200, Due: 100, ReleasedAt: 100}, access.RECOVERY_STATUS_READY},
		{"too late", access.Recovery{Way: guardians, ExpiresAt: 100, Due: 90, ReleasedAt: 95}, access.RECOVERY_STATUS_EXPIRED},
		{"cancelled", access.Recovery{Way: guardians, ExpiresAt: 100, CancelledBy: "somebody"}, access.RECOVERY_STATUS_CANCELLED},
		{"finished", access.Recovery{Way: guardians, ExpiresAt: 100, FinishedAt: 99}, access.RECOVERY_STATUS_FINISHED},
	} {
		got := c.r.Status(100)
		require.Equal(t, c.want, got, c.name)
		require.NotEmpty(t, got.Reason(), c.name)
		require.Equal(t, got != access.RECOVERY_STATUS_EXPIRED && got != access.RECOVERY_STATUS_CANCELLED && got != access.RECOVERY_STATUS_FINISHED, got.IsOpen(), c.name)
	}
}

func TestDelayOfParams(t *testing.T) {
	p := access.DefaultParams()
	require.EqualValues(t, 7*86400, p.LeastDelay())
	p.RecoveryDelay = 20
	require.NoError(t, p.Validate())
	require.EqualValues(t, 20, p.LeastDelay())
	p.RecoveryDelay = access.MaxRecoveryDelay + 1
	require.ErrorIs(t, p.Validate(), access.ErrInvalidParams)
}
