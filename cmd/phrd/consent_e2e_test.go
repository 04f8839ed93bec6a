package main_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/phr"
)

// What the commands about consents print under --json, as far as the tests look at it.
type (
	grantedConsent struct {
		Consent    uint64
		SealedAnew int `json:"sealed_anew"`
	}
	publishedVault struct {
		Address string
		Epoch   uint64
	}
	shownConsent struct {
		Number     uint64
		Status, To string
		What       []string
		Purpose    string
	}
)

// Nora consents once: to a clinician for what is there and what comes, and to a ward. They open without her, with an officer's
// endorsement, until she ends it.
func TestConsents(t *testing.T) {
	c := newCast(t)
	t.Parallel()
	nora := c.machine(t, "nora")
	number, _ := c.joins(t, nora)
	doctor, resident := c.hire(t, 4, "nora-doctor", "clinician"), c.hire(t, 4, "nora-resident", "clinician")
	store := func(name string, size int) (string, []byte) {
		path, content := file(t, name, size)
		var stored []storedFile
		c.clerk.does(t, &stored, "record", "store", path, "--wait", "none", "--patient", number)
		return stored[0].Record, content
	}
	before, content := store("before.dcm", 4000)

	var vault publishedVault
	doctor.does(t, &vault, "staff", "vault")
	require.EqualValues(t, 1, vault.Epoch)
	doctor.does(t, &vault, "staff", "vault")
	require.EqualValues(t, 1, vault.Epoch)
	nora.fails(t, 2, "--yes", "consent", "grant", "--hospital", "4", "--clinician", vault.Address, "--class", "imaging", "--until", "30d")
	nora.fails(t, 2, "who may ask", "consent", "grant", "--hospital", "4", "--class", "imaging", "--until", "30d")
	var consent grantedConsent
	nora.does(t, &consent, "consent", "grant", "--hospital", "4", "--clinician", vault.Address, "--class", "other,imaging", "--until", "30d", "--yes")
	require.NotZero(t, consent.Consent)
	require.Equal(t, 1, consent.SealedAnew)
	var sealed grantedConsent
	nora.does(t, &sealed, "consent", "seal")
	require.Zero(t, sealed.SealedAnew)
	var list []shownConsent
	doctor.does(t, &list, "consent", "list")
	require.Equal(t, []shownConsent{{Number: consent.Consent, Status: "live", To: vault.Address, What: []string{"imaging", "other"}, Purpose: "TREAT"}}, list)
	resident.does(t, &list, "consent", "list")
	require.Empty(t, list)

	after, later := store("after.dcm", 5000)
	asks := func(p person, record string) string {
		t.Helper()
		var asked struct{ Unlock string }
		p.does(t, &asked, "unlock", "propose", record, "--for", "2h")
		c.officer.does(t, nil, "unlock", "endorse", asked.Unlock)
		return asked.Unlock
	}
	reads := func(p person, record string, want []byte) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "opened.dcm")
		p.does(t, nil, "record", "open", record, "--unlock", asks(p, record), "-o", out)
		require.True(t, bytes.Equal(want, readAll(t, out)))
	}
	reads(doctor, before, content)
	reads(doctor, after, later)
	resident.fails(t, 3, "waits for signatures", "record", "open", after, "--unlock", asks(resident, after), "-o", filepath.Join(t.TempDir(), "x"))

	// A ward opens by the hospital's vault, as long as somebody works there.
	var who publishedVault
	resident.does(t, &who, "staff", "vault")
	c.hospital(4).does(t, nil, "staff", "wards", who.Address, "4711")
	var ward grantedConsent
	nora.does(t, &ward, "consent", "grant", "--hospital", "4", "--ward", "4711", "--record", after, "--until", "30d", "--yes")
	require.Equal(t, 1, ward.SealedAnew)
	reads(resident, after, later)

	require.Contains(t, nora.does(t, nil, "audit", "log", "--limit", "50"), "consent_used")
	require.Contains(t, nora.does(t, nil, "audit", "log", "--kind", "consent_used,opened", "--purpose", "TREAT"), "consent_used")
	require.NotContains(t, nora.does(t, nil, "audit", "log", "--purpose", "HRESCH"), "consent_used")
	eventually(t, time.Minute, "the patient sees who looked, for which hospital, and by which consent", func() bool {
		var looks []phr.Look
		nora.does(t, &looks, "patient", "who-looked")
		return len(looks) == 3 && looks[0].Record == after && looks[0].Consent == ward.Consent && looks[0].Purpose == "TREAT" && looks[0].Hospital == 4 &&
			looks[0].Role == "clinician" && looks[0].Bytes > 0 && looks[2].Record == before && looks[2].Consent == consent.Consent && looks[2].Actor == vault.Address
	})
	require.Contains(t, nora.does(t, nil, "patient", "who-looked"), fmt.Sprintf("your consent %d", ward.Consent))
	resident.fails(t, 4, "", "patient", "who-looked", number)
	var withdrawn struct {
		ToLockAnew []string `json:"to_lock_anew"`
	}
	nora.does(t, &withdrawn, "consent", "withdraw", fmt.Sprint(ward.Consent))
	require.Equal(t, []string{after + "/1"}, withdrawn.ToLockAnew)
	resident.fails(t, 3, "waits for signatures", "record", "open", after, "--unlock", asks(resident, after), "-o", filepath.Join(t.TempDir(), "x"))
	nora.fails(t, 4, "consent_withdrawn", "consent", "withdraw", fmt.Sprint(ward.Consent))
	var anew sealedAnew
	nora.does(t, &anew, "vault", "relock", after+"/1")
	require.Equal(t, 1, anew.Versions)
	reads(doctor, after, later)
}
