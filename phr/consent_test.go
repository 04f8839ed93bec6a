package phr_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/phr"
)

// consented has the patient consent that the doctor of hospital 4 treats with pictures.
func (c *cast) consented(g phr.Grant) uint64 {
	c.t.Helper()
	g.Hospital, g.Purpose, g.Until, g.UsesADay = 4, "TREAT", time.Now().Add(30*day), 3
	if len(g.Records) == 0 {
		g.Classes = []recordsv1.Class{recordsv1.Class_CLASS_IMAGING}
	}
	number, err := c.alice.GrantConsent(c.t.Context(), g)
	require.NoError(c.t, err)
	return number
}

func (c *cast) published() string {
	c.t.Helper()
	epoch, err := c.doctor.PublishVault(c.t.Context())
	require.NoError(c.t, err)
	require.EqualValues(c.t, 1, epoch)
	return c.doctor.Address()
}

// recipients is how many vaults the newest stored version is sealed to.
func (c *cast) recipients() int {
	stored := c.stores[len(c.stores)-1].Versions
	return len(stored[len(stored)-1].OwnKeys)
}

// A clinician with the patient's consent opens without the patient, and needs the officer.
func TestConsentStory(t *testing.T) {
	c := newCast(t)
	number := c.consented(phr.Grant{Staff: c.published()})
	b := content(5000)
	stored := c.store(b)
	require.Equal(t, 2, c.recipients())
	unlock := c.propose(stored.Ref)
	_, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrNotApproved)
	_, err = c.officer.Endorse(t.Context(), unlock)
	require.NoError(t, err)
	f, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	require.Equal(t, b, c.reads(f))
	u, err := c.doctor.Unlock(t.Context(), unlock)
	require.NoError(t, err)
	require.Equal(t, number, u.GetApproval().GetConsent())

	_, err = c.alice.Review(t.Context(), unlock)
	require.ErrorIs(t, err, phr.ErrConsented)
	consents, err := c.alice.OwnConsents(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, consents, 1)
	require.Equal(t, c.doctor.Address(), consents[0].To())
	require.Equal(t, []string{"imaging"}, consents[0].What())
	seen, err := c.doctor.OwnConsents(t.Context(), accessv1.ConsentStatus_CONSENT_STATUS_LIVE)
	require.NoError(t, err)
	require.Len(t, seen, 1)

	_, err = c.alice.WithdrawConsent(t.Context(), number)
	require.NoError(t, err)
	again := c.endorsed(stored.Ref)
	_, err = c.doctor.Open(t.Context(), again, stored.Ref)
	require.ErrorIs(t, err, phr.ErrNotApproved)
	c.store(content(100))
	require.Equal(t, 1, c.recipients(), "nothing more is sealed for the doctor")
	r, err := c.alice.Review(t.Context(), again)
	require.NoError(t, err)
	_, err = r.Approve(t.Context(), c.vault)
	require.NoError(t, err)
	f, err = c.doctor.Open(t.Context(), again, stored.Ref)
	require.NoError(t, err)
	require.Equal(t, b, c.reads(f))
}

// Each line is a thing for which the doctor's program does not even ask; the patient may still approve.
func TestConsentsThatDoNotFit(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(c *cast, consent *accessv1.Consent)
	}{
		{"another patient's", func(_ *cast, consent *accessv1.Consent) { consent.Patient = "x" }},
		{"another purpose", func(_ *cast, consent *accessv1.Consent) { consent.Purpose = "HRESCH" }},
		{"another class", func(_ *cast, consent *accessv1.Consent) {
			consent.Classes = []recordsv1.Class{recordsv1.Class_CLASS_RESULT}
		}},
		{"it ends before the unlock", func(_ *cast, consent *accessv1.Consent) { consent.Until = time.Now().Add(time.Hour).Unix() }},
		{"it was withdrawn", func(_ *cast, consent *accessv1.Consent) { consent.WithdrawnAt = 1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCast(t)
			number := c.consented(phr.Grant{Staff: c.published()})
			stored := c.store(content(100))
			unlock := c.endorsed(stored.Ref)
			tc.change(c, c.consents[number-1])
			_, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
			require.ErrorIs(t, err, phr.ErrNotApproved)
			r, err := c.alice.Review(t.Context(), unlock)
			require.NoError(t, err)
			_, err = r.Approve(t.Context(), c.vault)
			require.NoError(t, err)
		})
	}
}

// What was stored before the consent is not approved by it, for it would open nothing, until the patient sealed it anew.
func TestConsentAfterTheStore(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	c.consented(phr.Grant{Staff: c.published()})
	unlock := c.endorsed(stored.Ref)
	_, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrNotApproved)
	u, err := c.doctor.Unlock(t.Context(), unlock)
	require.NoError(t, err)
	require.Nil(t, u.GetApproval())
}

// A refusal by the chain comes with its reason, and the unlock stays open for the patient.
func TestConsentIsRefused(t *testing.T) {
	c := newCast(t)
	c.consented(phr.Grant{Staff: c.published()})
	stored := c.store(content(100))
	unlock := c.endorsed(stored.Ref)
	c.refusesUse = "consent_used_up"
	_, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrNotApproved)
	var refused *phr.Refused
	require.True(t, errors.As(err, &refused))
	require.Equal(t, "consent_used_up", refused.Reason)
}

// A vault is published once, by whoever holds its key; a new device makes another epoch, and a rotation keeps what was before.
func TestPublishVault(t *testing.T) {
	c := newCast(t)
	c.published()
	c.consented(phr.Grant{Staff: c.doctor.Address()})
	b := content(200)
	stored := c.store(b)
	epoch, err := c.doctor.PublishVault(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, epoch)
	epoch, err = c.doctor.RotateVault(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, epoch)
	f, err := c.doctor.Open(t.Context(), c.endorsed(stored.Ref), stored.Ref)
	require.NoError(t, err)
	require.Equal(t, b, c.reads(f))
	later := c.store(b)
	f, err = c.doctor.Open(t.Context(), c.endorsed(later.Ref), later.Ref)
	require.NoError(t, err)
	require.Equal(t, b, c.reads(f))

	// Another program of a clinician whose key was published elsewhere has none of it.
	other := c.staff(consortiumv1.Role_ROLE_CLINICIAN, 4)
	c.principals[other.Address()].VaultEpoch = 3
	epoch, err = other.PublishVault(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, epoch)
}

// damaged are secrets on a disk that gives what was written back no more.
type damaged struct{ phr.Secrets }

var errDamaged = errors.New("damaged")

func (damaged) Get(string) ([]byte, error) { return nil, errDamaged }

// A key that is there and can't be read is not taken for one that another device has: another epoch would leave behind what it opens.
func TestPublishVaultWithDamagedSecrets(t *testing.T) {
	c := newCast(t)
	key := c.key()
	c.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_CLINICIAN, Hospital: 4, Active: true, VaultEpoch: 3})
	door := c.gates[4].door()
	doctor, err := phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: door.Fingerprint, Key: key, Secrets: damaged{}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, doctor.Close()) })
	_, err = doctor.PublishVault(t.Context())
	require.ErrorIs(t, err, errDamaged)
	_, err = doctor.RotateVault(t.Context())
	require.ErrorIs(t, err, errDamaged)
	require.EqualValues(t, 3, c.principals[key.Address()].VaultEpoch)
}
