package scenario_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// marker is a text that stands nowhere else.
func marker(t *testing.T, word string) string {
	t.Helper()
	b := make([]byte, 12)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return word + "-" + hex.EncodeToString(b)
}

// What a file holds and how file and patient are called is on no disk of any hospital, whatever is done with it. That the search
// would find it is shown by texts that go to the same disks in clear, by the same doors; and, built with phrd_in_clear, by the file
// itself.
func TestNothingReadableIsOnAnyDisk(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir) // what a server would leave in the system's folder is searched too
	dir = filepath.Dir(dir) // where all folders of this test are
	secret, fileName, patientName := marker(t, "secret"), marker(t, "file")+".dcm", marker(t, "alice")
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic, er := net.Patient(patientName), net.Hospital("clinic"), net.Hospital("er")

	// At the beginning, over the border of two leaves, and at the end; in clear, in hex and in base64.
	content := scenario.Content(2<<20 + 1000)
	forms := secret + " " + hex.EncodeToString([]byte(secret)) + " " + base64.StdEncoding.EncodeToString([]byte(secret))
	for _, at := range []int{0, 1<<20 - 16 - len(secret)/2, len(content) - len(forms)} {
		copy(content[at:], forms)
	}
	scan := clinic.StoreContent(alice, fileName, content)
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)
	own := alice.Propose(scan, "PATRQT")
	alice.Approve(own)
	alice.Opens(scan)
	next := clinic.StoreNext(scan, fileName)
	net.History(next, "stored")
	denied := er.Propose(next, scenario.Treatment)
	alice.Deny(denied)

	// The controls: a block that is not encrypted, a name of a site, and words of the log.
	control := marker(t, "control")
	block := []byte(control + " " + hex.EncodeToString([]byte(control)) + " " + base64.StdEncoding.EncodeToString([]byte(control)))
	path := "/blocks/" + lock.RawCID(sha256.Sum256(block)).String()
	if status, body := er.Clinician().Call(http.MethodPut, path, block); status != http.StatusCreated {
		t.Fatalf("PUT %s: %d %s", path, status, body)
	}
	admin := clinic.Admin()
	if err := admin.Send(&consortiumv1.MsgAddSite{Admin: admin.Address(), Name: control, TimeZone: "Europe/Vienna"}, &consortiumv1.MsgAddSiteResponse{}); err != nil {
		t.Fatal(err)
	}
	word := strings.ToUpper(control[len(control)-12:])
	asked := about(entryOf(er.Clinician(), "clinician", audit.KindProposed), scan, er.Clinician().Ask(time.Hour, word, scan))
	asked.Purpose = word
	net.Tells(asked)

	var shares []keys.Share
	for _, h := range []*scenario.Hospital{clinic, er} {
		shares = append(shares, h.Shares()...)
	}
	net.Stop()
	checkShares(t, dir, shares)
	for _, s := range []string{secret, fileName, patientName} {
		found, err := scenario.Search(dir, []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		if seal.InClear && s != patientName {
			checkFound(t, s, found, "clinic/blobs plain", "er/blobs plain")
			continue
		}
		for _, f := range found {
			t.Errorf("%q is in %s as %s", s, f.Path, f.Form)
		}
	}
	for _, c := range []struct {
		secret string
		want   []string // folders below a home, and forms
	}{
		{control, []string{"er/blobs plain", "er/blobs hex", "er/blobs base64"}},
		{control, []string{"clinic/data/application.db plain", "south/data/blockstore.db plain", "north/data/cs.wal plain"}},
		{word, []string{"clinic/index plain", "er/index plain"}},
	} {
		found, err := scenario.Search(dir, []byte(c.secret))
		if err != nil {
			t.Fatal(err)
		}
		checkFound(t, c.secret, found, c.want...)
	}
}

// checkShares looks for shares of the network's key: their values are on no disk and in no log. That the search would find them is
// shown by their public sides, which the chain has.
func checkShares(t *testing.T, dir string, shares []keys.Share) {
	t.Helper()
	if len(shares) == 0 {
		t.Error("no hospital keeps a share")
	}
	for _, share := range shares {
		found, err := scenario.Search(dir, share.Scalar.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Errorf("share %d is in %s as %s", share.Index, f.Path, f.Form)
		}
		if found, err = scenario.Search(dir, share.Scalar.Public().Bytes()); err != nil {
			t.Fatal(err)
		}
		checkFound(t, fmt.Sprintf("the public side of share %d", share.Index), found, "clinic/data/application.db plain")
	}
}

// checkFound expects a secret in these places: a folder below a home and a form.
func checkFound(t *testing.T, secret string, found []scenario.Finding, places ...string) {
	t.Helper()
	for _, want := range places {
		place, form, _ := strings.Cut(want, " ")
		if !slices.ContainsFunc(found, func(f scenario.Finding) bool {
			return strings.Contains(f.Path, filepath.FromSlash(place)) && f.Form == form
		}) {
			t.Errorf("the search does not find %q in %s as %s, but in %s", secret, place, form, fmt.Sprint(found))
		}
	}
}
