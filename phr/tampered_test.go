package phr_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

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
