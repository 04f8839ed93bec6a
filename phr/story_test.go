package phr_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
)

const day = 24 * time.Hour

// content is a file of some size, the same at each run.
func content(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(b)
	return b
}

// cast is a network with the people of the story: a clerk and an officer of hospital 1, a doctor of hospital 4, and a
// patient who comes in at hospital 1.
type cast struct {
	*network
	clerk, officer, doctor, alice *phr.Client
	file                          phr.VaultFile
	vault                         *phr.Vault
	number                        string
}

func newCast(t *testing.T) *cast {
	t.Helper()
	n := newNetwork(t)
	c := &cast{
		network: n, clerk: n.staff(consortiumv1.Role_ROLE_CLERK, 1), officer: n.staff(consortiumv1.Role_ROLE_OFFICER, 1),
		doctor: n.staff(consortiumv1.Role_ROLE_CLINICIAN, 4),
	}
	c.alice, c.file = n.patient(1)
	c.number = c.file.Patient
	var err error
	c.vault, err = c.alice.OpenVault(c.file)
	require.NoError(t, err)
	return c
}

func (c *cast) scan(b []byte) phr.NewVersion {
	return phr.NewVersion{
		Patient: c.number, Class: recordsv1.Class_CLASS_IMAGING, Name: "Thorax à jeun.dcm", MediaType: "application/dicom", Modified: time.Unix(1_800_000_000, 0),
		Size: uint64(len(b)), Content: bytes.NewReader(b),
	}
}

func (c *cast) store(b []byte) *phr.Stored {
	c.t.Helper()
	stored, err := c.clerk.Store(c.t.Context(), c.scan(b))
	require.NoError(c.t, err)
	return stored
}

func (c *cast) propose(refs ...phr.Ref) string {
	c.t.Helper()
	unlock, err := c.doctor.Propose(c.t.Context(), phr.Request{Versions: refs, Purpose: "TREAT", Lifetime: day})
	require.NoError(c.t, err)
	return unlock
}

func (c *cast) endorsed(refs ...phr.Ref) string {
	c.t.Helper()
	unlock := c.propose(refs...)
	_, err := c.officer.Endorse(c.t.Context(), unlock)
	require.NoError(c.t, err)
	return unlock
}

func (c *cast) approved(refs ...phr.Ref) string {
	c.t.Helper()
	unlock := c.endorsed(refs...)
	r, err := c.alice.Review(c.t.Context(), unlock)
	require.NoError(c.t, err)
	_, err = r.Approve(c.t.Context(), c.vault)
	require.NoError(c.t, err)
	return unlock
}

func (c *cast) reads(f *phr.File) []byte {
	c.t.Helper()
	var out bytes.Buffer
	n, err := f.WriteTo(c.t.Context(), &out, nil)
	require.NoError(c.t, err)
	require.EqualValues(c.t, out.Len(), n)
	return out.Bytes()
}

func TestStory(t *testing.T) {
	c := newCast(t)
	b := content(1<<20 + 5)
	v := c.scan(b)
	var mu sync.Mutex
	told := map[phr.Stage]uint64{}
	v.Progress = func(stage phr.Stage, done, total uint64) {
		mu.Lock()
		defer mu.Unlock()
		require.LessOrEqual(t, done, total)
		told[stage] = done
	}
	stored, err := c.clerk.Store(t.Context(), v)
	require.NoError(t, err)
	require.EqualValues(t, 1, stored.Version)
	require.EqualValues(t, 1, stored.Hospital)
	require.Equal(t, map[phr.Stage]uint64{phr.StageUpload: stored.Padded, phr.StageReadBack: stored.Padded}, told)
	var counts []uint32
	copies, err := c.clerk.WaitForCopies(t.Context(), stored.Ref, 0, func(now phr.Copies) { counts = append(counts, now.Held) })
	require.NoError(t, err)
	require.EqualValues(t, 3, copies.Held)
	require.Equal(t, []uint32{1, 2, 3}, counts)

	unlock := c.propose(stored.Ref)
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrNotApproved)
	_, err = c.alice.Review(t.Context(), unlock)
	require.ErrorIs(t, err, phr.ErrNotApproved, "nobody endorsed it")
	_, err = c.officer.Endorse(t.Context(), unlock)
	require.NoError(t, err)

	for _, g := range c.gates {
		g.heights = nil
	}
	r, err := c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	require.Equal(t, "Hospital 4", r.Hospital)
	require.Equal(t, c.doctor.Address(), r.Requester)
	require.Equal(t, "TREAT", r.Purpose)
	require.Equal(t, []phr.Ref{stored.Ref}, r.Versions)
	require.Equal(t, []string{c.officer.Address()}, r.Endorsements)
	require.True(t, r.Independent)
	require.Len(t, r.Witnesses, 2)
	for _, d := range r.Witnesses {
		require.NotEqualValues(t, 4, d.Hospital)
		require.NotEmpty(t, c.gates[d.Hospital].heights)
		for _, h := range c.gates[d.Hospital].heights {
			require.Equal(t, r.Height, h, "both are asked about one height")
		}
	}
	_, err = r.Approve(t.Context(), c.vault)
	require.NoError(t, err)

	f, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	require.Equal(t, "Thorax à jeun.dcm", f.Name)
	require.Equal(t, "application/dicom", f.MediaType)
	require.EqualValues(t, len(b), f.Size)
	require.Equal(t, int64(1_800_000_000), f.Modified.Unix())
	require.True(t, f.Created.IsZero())
	require.True(t, bytes.Equal(b, c.reads(f)))

	// The same session opens it again, also without naming the version; closing deletes it.
	_, err = c.doctor.Open(t.Context(), unlock, phr.Ref{})
	require.NoError(t, err)
	_, err = c.doctor.Withdraw(t.Context(), unlock)
	require.NoError(t, err)
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrSession)
	var refused *phr.Refused
	_, err = c.doctor.Withdraw(t.Context(), unlock)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "withdrawn", refused.Reason)

	var kinds []string
	for e, err := range c.alice.Log(t.Context(), phr.LogFilter{}) {
		require.NoError(t, err)
		kinds = append(kinds, e.GetKind())
	}
	require.Equal(t, []string{"MsgWithdrawUnlock", "MsgWithdrawUnlock", "MsgApproveUnlock", "MsgEndorseUnlock", "MsgProposeUnlock", "MsgStoreVersions", "MsgRegisterPatient"}, kinds)
	size, root, err := c.alice.LogHead(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(kinds), size)
	require.Len(t, root, 32)
}

func TestSizes(t *testing.T) {
	c := newCast(t)
	for _, size := range []int{0, 1, seal.ChunkSize - 1, seal.ChunkSize, seal.ChunkSize + 1} {
		b := content(size)
		stored := c.store(b)
		f, err := c.doctor.Open(t.Context(), c.approved(stored.Ref), stored.Ref)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, c.reads(f)), size)
	}
}

func TestVersionsAndSeveralInOneUnlock(t *testing.T) {
	c := newCast(t)
	first := c.store(content(10))
	v := c.scan(content(20))
	v.Record, v.Patient = first.Record, ""
	second, err := c.clerk.Store(t.Context(), v)
	require.NoError(t, err)
	require.Equal(t, phr.Ref{Record: first.Record, Version: 2}, second.Ref)
	other := c.store(content(30))

	newest := phr.Ref{Record: first.Record}
	unlock := c.approved(other.Ref, newest, first.Ref, first.Ref)
	u, err := c.doctor.Unlock(t.Context(), unlock)
	require.NoError(t, err)
	require.Len(t, u.GetVersions(), 3)
	for ref, size := range map[phr.Ref]int{first.Ref: 10, second.Ref: 20, other.Ref: 30} {
		f, err := c.doctor.Open(t.Context(), unlock, ref)
		require.NoError(t, err)
		require.Equal(t, content(size), c.reads(f))
	}
	_, err = c.doctor.Open(t.Context(), unlock, phr.Ref{})
	require.ErrorIs(t, err, phr.ErrRef)

	var history []uint64
	for v, err := range c.clerk.History(t.Context(), first.Record) {
		require.NoError(t, err)
		history = append(history, v.GetVersion())
	}
	require.Equal(t, []uint64{1, 2}, history)
	records := 0
	for _, err := range c.alice.Records(t.Context(), c.number) {
		require.NoError(t, err)
		records++
	}
	require.Equal(t, 2, records)
}

func TestHospitalsOwnRecord(t *testing.T) {
	c := newCast(t)
	v := c.scan(content(100))
	v.Patient = ""
	stored, err := c.clerk.Store(t.Context(), v)
	require.NoError(t, err)
	unlock := c.endorsed(stored.Ref)
	second := c.staff(consortiumv1.Role_ROLE_OFFICER, 1)
	r, err := second.Review(t.Context(), unlock)
	require.NoError(t, err)

	// The seed of another epoch, or another hospital's, opens nothing.
	seed := c.vaults[1].Seed()
	for _, wrong := range []func() (*phr.Vault, error){
		func() (*phr.Vault, error) { return phr.HospitalVault(1, map[uint64][]byte{2: seed}) },
		func() (*phr.Vault, error) { return phr.HospitalVault(2, map[uint64][]byte{1: seed}) },
	} {
		vault, err := wrong()
		require.NoError(t, err)
		_, err = r.Approve(t.Context(), vault)
		require.ErrorIs(t, err, phr.ErrVault)
	}
	vault, err := phr.HospitalVault(1, map[uint64][]byte{1: seed})
	require.NoError(t, err)
	_, err = r.Approve(t.Context(), vault)
	require.NoError(t, err)
	f, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	require.Equal(t, content(100), c.reads(f))
}

func TestOwnReading(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	unlock, err := c.alice.Propose(t.Context(), phr.Request{Versions: []phr.Ref{stored.Ref}, Purpose: "PATRQT", Lifetime: time.Hour})
	require.NoError(t, err)
	r, err := c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	require.Equal(t, phr.OwnReading, r.Hospital)
	_, err = r.Approve(t.Context(), c.vault)
	require.NoError(t, err)
	f, err := c.alice.Open(t.Context(), unlock, phr.Ref{})
	require.NoError(t, err)
	require.Equal(t, content(100), c.reads(f))
}

func TestRanges(t *testing.T) {
	c := newCast(t)
	b := content(3 << 20)
	stored := c.store(b)
	f, err := c.doctor.Open(t.Context(), c.approved(stored.Ref), stored.Ref)
	require.NoError(t, err)
	for _, r := range [][2]uint64{{0, 0}, {0, 1}, {f.Size - 1, 1}, {f.Size, 0}, {seal.ChunkSize - 1, 2}, {seal.ChunkSize, seal.ChunkSize}, {100, 2 << 20}} {
		var out bytes.Buffer
		n, err := f.WriteRange(t.Context(), &out, r[0], r[1], nil)
		require.NoError(t, err)
		require.EqualValues(t, r[1], n)
		require.True(t, bytes.Equal(b[r[0]:r[0]+r[1]], out.Bytes()), r)
	}
	for _, r := range [][2]uint64{{f.Size, 1}, {f.Size + 1, 0}, {0, f.Size + 1}, {1, ^uint64(0)}} {
		var out bytes.Buffer
		_, err := f.WriteRange(t.Context(), &out, r[0], r[1], nil)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Zero(t, out.Len())
	}
	at := make([]byte, 10)
	_, err = f.At(t.Context()).ReadAt(at, 1<<20)
	require.NoError(t, err)
	require.Equal(t, b[1<<20:1<<20+10], at)

	// One byte costs one leaf.
	g := c.gates[4]
	before := len(g.served)
	_, err = f.WriteRange(t.Context(), io.Discard, 2<<20, 1, nil)
	require.NoError(t, err)
	require.Len(t, g.served, before+1)
}

func TestCutUploadIsResumed(t *testing.T) {
	c := newCast(t)
	c.clerk.SetSegment(2 << 20)
	b := content(5 << 20)
	g := c.gates[1]
	var cuts []int
	g.cut = func(received int) bool {
		switch {
		case len(cuts) == 0 && received > 1, len(cuts) == 1 && received > 1<<20+100, len(cuts) == 2 && received > 2<<20:
			cuts = append(cuts, received)
			return true
		}
		return false
	}
	// Between two cuts the gateway forgets its logins, as after a restart.
	var restart sync.Once
	g.log = func(method string) {
		if method == http.MethodHead && len(cuts) == 2 {
			restart.Do(g.endSessions)
		}
	}
	stored, err := c.clerk.Store(t.Context(), c.scan(b))
	require.NoError(t, err)
	require.Len(t, cuts, 3)
	f, err := c.doctor.Open(t.Context(), c.approved(stored.Ref), stored.Ref)
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, c.reads(f)))
}

func TestUploadThatGoesNowhere(t *testing.T) {
	c := newCast(t)
	c.clerk.SetPatience(time.Second)
	c.gates[1].cut = func(int) bool { return true }
	_, err := c.clerk.Store(t.Context(), c.scan(content(100)))
	require.ErrorIs(t, err, phr.ErrUpload)
	c.gates[1].cut = nil
	require.Empty(t, c.gates[1].uploads, "it was given up at the gateway too")

	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the user has had enough")
	c.gates[1].cut = func(int) bool { cancel(stop); return true }
	_, err = c.clerk.Store(ctx, c.scan(content(100)))
	require.ErrorIs(t, err, stop)
	require.Empty(t, c.records, "nothing was registered")
}

func TestContentOfAnotherSize(t *testing.T) {
	c := newCast(t)
	for _, size := range []uint64{99, 101} {
		v := c.scan(content(100))
		v.Size = size
		_, err := c.clerk.Store(t.Context(), v)
		require.ErrorIs(t, err, seal.ErrSize)
	}
	require.Empty(t, c.gates[1].uploads)
	require.Empty(t, c.records)
}

func TestStoreReadsBack(t *testing.T) {
	c := newCast(t)
	for name, damage := range map[string]func([]byte) []byte{
		"a flipped bit": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"a lost block":  func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			c.gates[1].serve = func(path string, b []byte) []byte {
				if strings.HasPrefix(path, "/uploads/") {
					return damage(b)
				}
				return b
			}
			_, err := c.clerk.Store(t.Context(), c.scan(content(1000)))
			require.ErrorIs(t, err, phr.ErrReadBack)
			require.Empty(t, c.records, "it is not registered")
		})
	}
	c.gates[1].serve = nil
	c.store(content(1000))
}

func TestDeniedAndExpired(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	unlock := c.endorsed(stored.Ref)
	_, err := c.alice.Deny(t.Context(), unlock)
	require.NoError(t, err)
	_, err = c.alice.Review(t.Context(), unlock)
	require.ErrorIs(t, err, phr.ErrEnded)
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrEnded)
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrSession, "the session of an unlock that ended is deleted")

	unlock = c.endorsed(stored.Ref)
	open := c.endorsed(stored.Ref)
	c.mu.Lock()
	c.unlock(unlock).WithdrawnBy = c.officer.Address()
	c.mu.Unlock()
	n, err := c.doctor.Tidy(t.Context(), []string{unlock, open})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrSession)
	_, err = c.doctor.Open(t.Context(), open, stored.Ref)
	require.ErrorIs(t, err, phr.ErrNotApproved)
}

func TestRefusedByTheChain(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	unlock := c.propose(stored.Ref)
	var refused *phr.Refused
	_, err := c.staff(consortiumv1.Role_ROLE_OFFICER, 2).Endorse(t.Context(), unlock)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, &phr.Refused{Message: "phrd.access.v1.MsgEndorseUnlock", Reason: "wrong_hospital"}, refused)

	err = c.doctor.Vote(t.Context(), 1, true)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "test/2", refused.Reason)

	stranger := c.dial(c.key(), 1)
	_, err = stranger.Deny(t.Context(), unlock)
	require.ErrorIs(t, err, phr.ErrNoAccount)
}

func TestParseRef(t *testing.T) {
	id, err := lock.NewID(zero{})
	require.NoError(t, err)
	for text, want := range map[string]phr.Ref{
		id.String(): {Record: id}, id.String() + "/1": {Record: id, Version: 1}, strings.ToLower(id.String()) + "/12": {Record: id, Version: 12},
	} {
		got, err := phr.ParseRef(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "/1", id.String() + "/", id.String() + "/0", id.String() + "/-1", id.String() + "/1/2", id.String() + "/9223372036854775808", "x" + id.String(), lock.ID{}.String()} {
		_, err := phr.ParseRef(text)
		require.ErrorIs(t, err, phr.ErrRef, text)
	}
	require.Equal(t, id.String()+"/3", phr.Ref{Record: id, Version: 3}.String())
}
