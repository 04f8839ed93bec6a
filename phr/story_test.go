package phr_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
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

func TestSharesThatAreMissing(t *testing.T) {
	c := newCast(t)
	c.giving(1, 2)
	stored := c.store(content(100))
	unlock := c.approved(stored.Ref)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.doctor.Open(ctx, unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrNotReleased)
	c.giving(1, 2, 4)
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
}

// A bad share is skipped where enough others are good; a gateway that shows no good ones is passed over.
func TestTamperedShares(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	unlock := c.approved(stored.Ref)
	spoil := func(count int) func(string, any) {
		return func(_ string, reply any) {
			if shares, ok := reply.(*custodyv1.QuerySharesResponse); ok {
				for i := range count {
					shares.Shares[i].Points[0] = c.dealt.X.Bytes()
				}
			}
		}
	}
	c.gates[4].reply = spoil(1)
	f, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	require.Equal(t, content(100), c.reads(f))

	c.gates[4].reply = spoil(2)
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err, "another hospital shows good ones")

	for _, g := range c.gates {
		g.reply = spoil(2)
	}
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, lock.ErrShares)

	// Shares and holders that fit each other and not the network's key give another K.
	other, err := lock.Deal(threshold, []uint64{1, 2, 3, 4}, zero{})
	require.NoError(t, err)
	c.mu.Lock()
	c.dealt.Shares, c.dealt.Holders = other.Shares, other.Holders
	c.mu.Unlock()
	for _, g := range c.gates {
		g.reply = nil
	}
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrCommitment)
}

// zero is a source of chance that is none, for a key that differs.
type zero struct{}

// Read implements io.Reader.
func (zero) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i + 1)
	}
	return len(p), nil
}

// Blocks that were changed on the way never pass; another hospital's are taken.
func TestTamperedBlocks(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	unlock := c.endorsed(stored.Ref)
	u, err := c.alice.Unlock(t.Context(), unlock)
	require.NoError(t, err)
	spoil := func(cid string, where ...uint64) {
		for _, hospital := range where {
			c.gates[hospital].serve = func(path string, b []byte) []byte {
				if strings.HasSuffix(path, cid) && len(b) > 0 {
					b[len(b)-1] ^= 1
				}
				return b
			}
		}
	}
	clean := func() {
		for _, g := range c.gates {
			g.serve = nil
		}
	}
	for _, cid := range []string{u.GetRequestKey(), stored.Envelope.String()} {
		spoil(cid, 1, 2, 3, 4)
		_, err := c.alice.Review(t.Context(), unlock)
		require.ErrorIs(t, err, phr.ErrBlock)
		clean()
		spoil(cid, 1)
		_, err = c.alice.Review(t.Context(), unlock)
		require.NoError(t, err)
		clean()
	}
	r, err := c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	_, err = r.Approve(t.Context(), c.vault)
	require.NoError(t, err)
	u, err = c.alice.Unlock(t.Context(), unlock)
	require.NoError(t, err)
	for _, cid := range []string{u.GetApproval().GetCapsule(), stored.Envelope.String()} {
		spoil(cid, 1, 2, 3, 4)
		_, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
		require.ErrorIs(t, err, phr.ErrBlock)
		clean()
		spoil(cid, 4)
		_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
		require.NoError(t, err)
		clean()
	}
	f, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	spoil("", 1, 2, 3, 4)
	var out bytes.Buffer
	_, err = f.WriteTo(t.Context(), &out, nil)
	require.ErrorIs(t, err, phr.ErrBlock)
	require.Zero(t, out.Len())
	clean()
	require.Equal(t, content(100), c.reads(f))
}

// What one hospital shows differently is not approved.
func TestHospitalsThatDisagree(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	unlock := c.endorsed(stored.Ref)
	for _, d := range []struct {
		name   string
		change func(reply any)
		err    error
	}{
		{"purpose", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.Purpose = "HRESCH"
			}
		}, phr.ErrProposal},
		{"hospital", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.Hospital = 3
			}
		}, phr.ErrProposal},
		{"expiry", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.ExpiresAt++
			}
		}, phr.ErrProposal},
		{"request key", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.RequestKey = stored.Envelope.String()
			}
		}, phr.ErrProposal},
		{"requester", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.Requester = c.clerk.Address()
			}
		}, phr.ErrProposal},
		{"another version", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.Versions[0].Version = 2
			}
		}, phr.ErrNotFound},
		{"M", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.Versions[0].M = c.dealt.X.Bytes()
			}
		}, phr.ErrProposal},
		{"C", func(reply any) {
			if v, ok := reply.(*recordsv1.QueryVersionResponse); ok {
				v.Version.Header.C = bytes.Repeat([]byte{7}, 32)
			}
		}, phr.ErrProposal},
		{"owner", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.Patient = ""
			}
		}, phr.ErrProposal},
		{"key of the network", func(reply any) {
			if k, ok := reply.(*custodyv1.QueryKeyResponse); ok {
				k.Key.PublicKey = c.dealt.Holders[0].X.Bytes()
			}
		}, phr.ErrProposal},
		// Fields that the hash does not cover are compared.
		{"envelope", func(reply any) {
			if v, ok := reply.(*recordsv1.QueryVersionResponse); ok {
				v.Version.Envelope = lock.RawCID([32]byte{1}).String()
			}
		}, phr.ErrDisagree},
		{"endorsements", func(reply any) {
			if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
				u.Unlock.Endorsements[0].Officer = c.clerk.Address()
			}
		}, phr.ErrDisagree},
		{"name of the hospital", func(reply any) {
			if m, ok := reply.(*consortiumv1.QueryMemberResponse); ok {
				m.Member.Name = "Hospital 2"
			}
		}, phr.ErrDisagree},
		{"role of the requester", func(reply any) {
			if p, ok := reply.(*consortiumv1.QueryPrincipalResponse); ok {
				p.Principal.Role = consortiumv1.Role_ROLE_OFFICER
			}
		}, phr.ErrDisagree},
		{"network id", func(reply any) {
			if p, ok := reply.(*consortiumv1.QueryParamsResponse); ok {
				p.NetworkId = make([]byte, 32)
			}
		}, phr.ErrDisagree},
	} {
		t.Run(d.name, func(t *testing.T) {
			c.gates[2].reply = func(_ string, reply any) { d.change(reply) }
			_, err := c.alice.Review(t.Context(), unlock)
			require.ErrorIs(t, err, d.err)
			c.gates[2].reply = nil
			_, err = c.alice.Review(t.Context(), unlock)
			require.NoError(t, err)
		})
	}
}

// Both hospitals may show the same and it may still not be right.
func TestProposalsThatBreakARule(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	unlock := c.endorsed(stored.Ref)
	member := func() *consortiumv1.Principal { return c.principals[c.doctor.Address()] }
	for _, d := range []struct {
		name         string
		change, undo func()
	}{
		{"a requester who was revoked", func() { member().Active = false }, func() { member().Active = true }},
		{"a requester who moved", func() { member().Hospital = 2 }, func() { member().Hospital = 4 }},
		{"a requester of another role", func() { member().Role = consortiumv1.Role_ROLE_CLERK }, func() { member().Role = consortiumv1.Role_ROLE_CLINICIAN }},
		{"a hospital named like an own reading", func() { c.members[3].Name = phr.OwnReading }, func() { c.members[3].Name = "Hospital 4" }},
		{"a long life", func() { c.unlocks[0].ProposedAt -= 15 * 24 * 3600 }, func() { c.unlocks[0].ProposedAt += 15 * 24 * 3600 }},
	} {
		t.Run(d.name, func(t *testing.T) {
			c.mu.Lock()
			d.change()
			c.mu.Unlock()
			_, err := c.alice.Review(t.Context(), unlock)
			require.ErrorIs(t, err, phr.ErrProposal)
			c.mu.Lock()
			d.undo()
			c.mu.Unlock()
			_, err = c.alice.Review(t.Context(), unlock)
			require.NoError(t, err)
		})
	}
	for _, g := range c.gates {
		g.reply = func(_ string, reply any) {
			if p, ok := reply.(*consortiumv1.QueryParamsResponse); ok {
				p.NetworkId = make([]byte, 32)
			}
		}
	}
	_, err := c.alice.Review(t.Context(), unlock)
	require.ErrorIs(t, err, phr.ErrProposal, "another network")
}

// The capsule leaves only when both hospitals show the approval, and an approval that was cut short is completed.
func TestCapsuleWaitsForBothHospitals(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	unlock := c.endorsed(stored.Ref)
	r, err := c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	second := c.gates[r.Witnesses[1].Hospital]
	second.reply = func(_ string, reply any) {
		if u, ok := reply.(*accessv1.QueryUnlockResponse); ok {
			u.Unlock.Approval = nil
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = r.Approve(ctx, c.vault)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	u, err := c.alice.Unlock(t.Context(), unlock)
	require.NoError(t, err)
	capsule := u.GetApproval().GetCapsule()
	require.NotEmpty(t, capsule)
	for _, g := range c.gates {
		require.Nil(t, g.get(capsule))
	}

	second.reply = nil
	r, err = c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	_, err = r.Approve(t.Context(), c.vault)
	require.NoError(t, err)
	require.NotNil(t, second.get(capsule))
	require.Len(t, c.entries, 5, "it is signed once: registered, stored, proposed, endorsed, approved")
	f, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	require.Equal(t, content(100), c.reads(f))
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

// A node that is a block behind does not know yet what was proposed or stored at another hospital. Who signs it or waits for its copies
// waits; what is nowhere is not found in bounded time.
func TestWhatArrivesLate(t *testing.T) {
	c := newCast(t)
	unlock := c.propose(c.store(content(100)).Ref)
	c.late.Store(2)
	_, err := c.officer.Endorse(t.Context(), unlock)
	require.NoError(t, err)
	c.late.Store(2)
	_, err = c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)

	stored := c.store(content(200))
	c.late.Store(2)
	_, err = c.clerk.WaitForCopies(t.Context(), stored.Ref, 0, nil)
	require.NoError(t, err)
	_, err = c.clerk.WaitForCopies(t.Context(), phr.Ref{Record: stored.Record, Version: 9}, 0, nil)
	require.ErrorIs(t, err, phr.ErrNotFound)

	for _, id := range []string{strings.Repeat("ab", 32), "no id"} {
		_, err = c.officer.Endorse(t.Context(), id)
		require.ErrorIs(t, err, phr.ErrNotFound)
	}
}

// A gateway whose node has not come as far as the client has seen elsewhere is waited for.
func TestGatewayThatIsBehind(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	c.gates[1].behind.Store(3)
	v, err := c.clerk.Version(t.Context(), stored.Ref)
	require.NoError(t, err)
	require.EqualValues(t, 1, v.GetVersion())
	require.Negative(t, c.gates[1].behind.Load(), "its height was asked for until it was there")
	_, err = c.clerk.Version(t.Context(), phr.Ref{Record: stored.Record, Version: 9})
	require.ErrorIs(t, err, phr.ErrNotFound)
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

// Opening goes on at other hospitals when one is down, before it and in the middle.
func TestFailover(t *testing.T) {
	c := newCast(t)
	b := content(2 << 20)
	stored := c.store(b)
	unlock := c.approved(stored.Ref)
	f, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	r := f.Range(t.Context(), 0, f.Size)
	defer r.Close()
	head := make([]byte, 10)
	_, err = io.ReadFull(r, head)
	require.NoError(t, err)
	c.gates[4].down()
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, slices.Concat(head, rest)))

	f, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, c.reads(f)))

	for number := uint64(1); number <= 3; number++ {
		c.gates[number].down()
	}
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrUnreachable)
}

// With only one other hospital up, an approval is checked there and at the requester's, and says so; with one it is not.
func TestWitnesses(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(10))
	unlock := c.endorsed(stored.Ref)
	c.gates[2].down()
	c.gates[3].down()
	r, err := c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	require.False(t, r.Independent)
	require.EqualValues(t, 4, r.Witnesses[1].Hospital)
	c.gates[4].down()
	_, err = c.alice.Review(t.Context(), unlock)
	require.ErrorIs(t, err, phr.ErrUnreachable)
}

func TestInvitation(t *testing.T) {
	n := newNetwork(t)
	clerk := n.staff(consortiumv1.Role_ROLE_CLERK, 2)
	i, err := clerk.Invite(t.Context(), day)
	require.NoError(t, err)
	require.Len(t, i.Doors, 2)
	require.EqualValues(t, 2, i.Doors[0].Hospital)

	text := i.String()
	require.Less(t, len(text), 350, "a QR code that a telephone reads")
	back, err := phr.ParseInvitation(" " + text + "\n")
	require.NoError(t, err)
	require.Equal(t, text, back.String())
	for _, wrong := range []string{"", "phrd1", text[:len(text)-1], text[1:], strings.ToLower(text), text + "A", text[:20] + "x" + text[21:]} {
		_, err := phr.ParseInvitation(wrong)
		require.ErrorIs(t, err, phr.ErrInvitation, wrong)
	}

	key := n.key()
	alice, err := phr.Dial(t.Context(), back.Config(key))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, alice.Close()) })
	known, err := alice.HasAccount(t.Context())
	require.NoError(t, err)
	require.False(t, known)
	require.NoError(t, alice.OpenAccount(t.Context(), back))
	known, err = alice.HasAccount(t.Context())
	require.NoError(t, err)
	require.True(t, known)
	var refused *phr.Refused
	require.ErrorAs(t, alice.OpenAccount(t.Context(), back), &refused)
	require.Equal(t, "invitation_used", refused.Reason)
	back.ChainID = "phrd-2"
	require.ErrorIs(t, alice.OpenAccount(t.Context(), back), phr.ErrNetwork)
}

func TestVault(t *testing.T) {
	n := newNetwork(t)
	key := n.key()
	n.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_PATIENT, Active: true})
	alice := n.dial(key, 1)
	p, err := alice.PreparePatient(phr.DefaultSite)
	require.NoError(t, err)
	require.True(t, p.WalletSlot)
	require.Len(t, strings.Fields(p.Code), 24)
	require.Empty(t, n.patients, "nothing left the program")

	_, err = alice.OpenVault(p.File)
	require.NoError(t, err)
	_, err = alice.OpenVaultByWallet(p.File)
	require.NoError(t, err)
	_, err = p.File.OpenVaultByCode(" " + strings.ToUpper(p.Code) + " ")
	require.NoError(t, err)

	words := strings.Fields(p.Code)
	words[0], words[1] = words[1], words[0]
	_, err = p.File.OpenVaultByCode(strings.Join(words, " "))
	require.ErrorIs(t, err, phr.ErrVault)
	_, err = n.dial(n.key(), 1).OpenVaultByWallet(p.File)
	require.ErrorIs(t, err, phr.ErrVault)
	for _, spoil := range []func(*phr.VaultFile){
		func(f *phr.VaultFile) { f.Blob = bytes.Clone(f.Blob); f.Blob[100] ^= 1 },
		func(f *phr.VaultFile) { f.Epoch++ },
		func(f *phr.VaultFile) { f.Revision++ },
		func(f *phr.VaultFile) { f.Vault = f.Patient },
		func(f *phr.VaultFile) { f.Vault = "" },
		func(f *phr.VaultFile) { f.Network = make([]byte, 32) },
		func(f *phr.VaultFile) { f.Network = nil },
	} {
		f := p.File
		spoil(&f)
		_, err := alice.OpenVault(f)
		require.ErrorIs(t, err, phr.ErrVault)
	}

	_, err = alice.RegisterPatient(t.Context(), p.File)
	require.NoError(t, err)
	got, err := alice.Patient(t.Context(), p.File.Patient)
	require.NoError(t, err)
	require.Equal(t, p.File.Key, got.GetVault().GetKey())
	require.Equal(t, p.File.Blob, n.gates[1].get(got.GetVault().GetBlob()), "the vault is in the block store")
}

// dice is a wallet whose signatures differ each time.
type dice struct{ *wallet.Key }

// SignArbitrary implements phr.Wallet.
func (d dice) SignArbitrary(data []byte) []byte {
	b := d.Key.SignArbitrary(data)
	b[0] ^= byte(rand.Uint32())<<1 | 1
	return b
}

func TestWalletThatSignsDifferently(t *testing.T) {
	n := newNetwork(t)
	c := n.dial(dice{n.key()}, 1)
	p, err := c.PreparePatient(phr.DefaultSite)
	require.NoError(t, err)
	require.False(t, p.WalletSlot)
	_, err = c.OpenVaultByWallet(p.File)
	require.ErrorIs(t, err, phr.ErrVault)
	_, err = p.File.OpenVaultByCode(p.Code)
	require.NoError(t, err)
	_, err = c.OpenVault(p.File)
	require.NoError(t, err)
}

// forger signs an approval until another day.
type forger struct{ *wallet.Key }

// SignAmino implements phr.Wallet.
func (f forger) SignAmino(a wallet.Account, gas uint64, msg proto.Message) ([]byte, []byte, error) {
	if m, ok := msg.(*accessv1.MsgApproveUnlock); ok {
		changed := proto.CloneOf(m)
		changed.Until = "2099-01-01T00:00:00Z"
		msg = changed
	}
	return f.Key.SignAmino(a, gas, msg)
}

func TestWalletThatSignsSomethingElse(t *testing.T) {
	c := newCast(t)
	key := c.key()
	c.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_PATIENT, Active: true})
	c.alice = c.dial(forger{key}, 1)
	p, err := c.alice.PreparePatient(phr.DefaultSite)
	require.NoError(t, err)
	_, err = c.alice.RegisterPatient(t.Context(), p.File)
	require.NoError(t, err)
	c.number = p.File.Patient
	vault, err := c.alice.OpenVault(p.File)
	require.NoError(t, err)
	unlock := c.endorsed(c.store(content(10)).Ref)
	r, err := c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	_, err = r.Approve(t.Context(), vault)
	require.ErrorIs(t, err, phr.ErrDocument)
	u, err := c.alice.Unlock(t.Context(), unlock)
	require.NoError(t, err)
	require.Nil(t, u.GetApproval())
}

func TestSameButFee(t *testing.T) {
	want := `{"account_number":"1","chain_id":"x","fee":{"amount":[],"gas":"1"},"memo":"","msgs":[{"type":"a","value":{"b":"c"}}],"sequence":"0"}`
	require.NoError(t, phr.SameButFee([]byte(want), []byte(want)))
	require.NoError(t, phr.SameButFee([]byte(want), []byte(strings.Replace(want, `"gas":"1"`, `"gas":"2"`, 1))))
	for _, got := range []string{
		"", "{}", strings.Replace(want, `"b":"c"`, `"b":"d"`, 1), strings.Replace(want, `"memo":""`, `"memo":"x"`, 1),
		strings.Replace(want, `"sequence":"0"`, `"sequence":"1"`, 1), strings.Replace(want, `"chain_id":"x"`, `"chain_id":"y"`, 1),
		strings.Replace(want, `"memo"`, `"more":1,"memo"`, 1),
	} {
		require.ErrorIs(t, phr.SameButFee([]byte(want), []byte(got)), phr.ErrDocument, got)
	}
}

func TestGatewayThatIsAnother(t *testing.T) {
	n := newNetwork(t)
	key := n.key()
	n.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_CLERK, Hospital: 1, Active: true})
	door := n.gates[1].door()
	pin := []byte(door.Fingerprint)
	pin[0] ^= 1
	_, err := phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: string(pin), Key: key})
	require.ErrorIs(t, err, phr.ErrCertificate)
	_, err = phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Key: key})
	require.ErrorIs(t, err, phr.ErrUnreachable, "nobody vouches for its certificate")
	_, err = phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: door.Fingerprint, ChainID: "phrd-2"})
	require.ErrorIs(t, err, phr.ErrNetwork)
	_, err = phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: door.Fingerprint, Network: lock.Network{1}})
	require.ErrorIs(t, err, phr.ErrNetwork)
	for _, gateway := range []string{"", "http://a", "https://", "https://a/b", "https://u@a", "a:1", "https://a?b"} {
		_, err := phr.Dial(t.Context(), phr.Config{Gateway: gateway})
		require.Error(t, err, gateway)
	}
	c, err := phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: strings.ToUpper(door.Fingerprint), Key: key})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.Equal(t, chainID, c.ChainID())
	require.Equal(t, hex.EncodeToString(n.id[:]), hex.EncodeToString(func() []byte { id := c.Network(); return id[:] }()))
	doors, err := c.Doors(t.Context())
	require.NoError(t, err)
	require.Len(t, doors, hospitals)
	require.Equal(t, "Hospital 1", doors[0].Name)
	require.NoError(t, c.Logout(t.Context()))
	_, err = c.Members(t.Context())
	require.NoError(t, err, "it logs in again")
}

// A gateway that asks to sign something else than a login there gets no signature.
func TestLoginText(t *testing.T) {
	n := newNetwork(t)
	clerk := n.staff(consortiumv1.Role_ROLE_CLERK, 1)
	g := n.gates[1]
	for _, change := range []func(string) string{
		func(s string) string { return s + "\n" },
		func(s string) string { return strings.Replace(s, "phrd login", "phrd vault key", 1) },
		func(s string) string { return strings.Replace(s, "host: 127", "host: 128", 1) },
		func(s string) string { return strings.Replace(s, "network: ", "network: 0", 1) },
		func(string) string { return "" },
	} {
		g.text = change
		_, err := clerk.Principal(t.Context())
		require.ErrorIs(t, err, phr.ErrLogin)
	}
	g.text = nil
	p, err := clerk.Principal(t.Context())
	require.NoError(t, err)
	require.Equal(t, phr.Principal{Address: clerk.Address(), Role: "clerk", Hospital: 1}, p)
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
