package keeper_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// Whoever they are: the threshold's last share releases, one before does not.
func TestSharesRelease(t *testing.T) {
	f := newFixture(t)
	r := f.pending(2)
	order := []uint64{5, 2, 1, 3}
	for i, index := range order {
		require.Equal(t, custody.RELEASE_STATUS_PENDING, f.release(r.Unlock).Status)
		require.Empty(t, f.hooks.released)
		f.give(index, r)
		require.Equal(t, audit.Entry{
			Kind: audit.KindShareGiven, Actor: f.nodes[index], Role: "node", Hospital: index, Patient: patient, Subjects: subjects,
			Unlock: r.Unlock, Outcome: audit.OUTCOME_OK,
		}, f.log.last())
		require.Len(t, f.log.entries, i+1)
	}
	require.Equal(t, custody.Release{
		Unlock: r.Unlock, Kind: custody.KEY_KIND_RECORDS, Generation: 1, Blinded: r.Blinded, Status: custody.RELEASE_STATUS_RELEASED,
		ShareEpoch: 1, RequestedAt: start, RequestedHeight: 10, ReleasedAt: start + 5,
	}, f.release(r.Unlock))
	require.Equal(t, []string{r.Unlock}, f.hooks.released)
	require.Equal(t, []uint64{1, 2, 3, 5}, f.given(r.Unlock))
	for index := range f.nodes {
		require.Empty(t, f.work(index, 10), "nobody has to answer any more")
	}
}

// What the chain keeps is what the requester's program combines to the key.
func TestSharesCombine(t *testing.T) {
	f := newFixture(t)
	session, err := lock.GenerateSession(f.random)
	require.NoError(t, err)
	r, err := lock.RandomScalar(f.random)
	require.NoError(t, err)
	want := f.dealt.X.Mul(r)
	release := custody.Release{
		Unlock: "0a0b0c0d0e0f000102030405060708090a0b0c0d0e0f00010203040506070809", Kind: custody.KEY_KIND_RECORDS, Generation: 1,
		Blinded: [][]byte{session.Blind(r.Public()).Bytes()},
	}
	require.NoError(t, f.keeper.RequestRelease(f.ctx, release))
	f.nextBlock()
	for _, index := range []uint64{1, 2, 4, 5} {
		f.give(index, release)
	}
	gen, err := lock.Generation{Network: network, Kind: lock.KeyRecords, Number: 1, X: f.dealt.X}.Hash()
	require.NoError(t, err)
	id, err := custody.ParseUnlockID(release.Unlock)
	require.NoError(t, err)
	kept, err := f.query.Shares(f.ctx, &custody.QuerySharesRequest{Unlock: release.Unlock})
	require.NoError(t, err)
	var shares []lock.Share
	for _, s := range kept.Shares {
		d, err := lock.ParsePoint(s.Points[0])
		require.NoError(t, err)
		shares = append(shares, lock.Share{Epoch: s.ShareEpoch, Index: s.Index, D: []lock.Point{d}, Proof: s.Proof})
	}
	request := lock.Release{Network: network, Unlock: id, Generation: gen, M: []lock.Point{session.Blind(r.Public())}}
	committee := lock.Committee{Epoch: 1, Threshold: threshold, Holders: f.dealt.Holders}
	combined, err := session.Combine(request, []lock.Committee{committee}, shares)
	require.NoError(t, err)
	require.True(t, want.Equal(combined.K[0]))
	_, err = session.Combine(request, []lock.Committee{committee}, shares[:threshold-1])
	require.ErrorIs(t, err, lock.ErrShares)
}

// A refused share is in the log against whoever sent it, and changes nothing else.
func TestShareRefusals(t *testing.T) {
	f := newFixture(t)
	r, other := f.requested(2), f.requested(2)
	f.nextBlock()
	early := f.requested(1)
	f.give(1, r)
	suspended := f.account(consortium.ROLE_NODE, 3)
	p := f.people.principals[suspended]
	p.Active = false
	f.people.principals[suspended] = p
	unknown := r
	unknown.Unlock = other.Unlock[:62] + "ff"
	newcomer := f.account(consortium.ROLE_NODE, 6)

	with := func(index uint64, change func(*custody.Share)) custody.Share {
		s := f.share(index, r)
		change(&s)
		return s
	}
	for _, tc := range []struct {
		name, node string
		share      custody.Share
		reason     string
	}{
		{"a clinician", f.account(consortium.ROLE_CLINICIAN, 2), f.share(2, r), custody.ReasonWrongRole},
		{"a storage node", f.account(consortium.ROLE_STORAGE, 2), f.share(2, r), custody.ReasonWrongRole},
		{"a suspended member", suspended, f.share(3, r), custody.ReasonInactive},
		{"of no unlock", f.nodes[2], f.share(2, unknown), custody.ReasonUnknownUnlock},
		{"another member's", f.nodes[2], f.share(3, r), custody.ReasonForeignHolder},
		{"another member's share with the own index", f.nodes[2], with(3, func(s *custody.Share) { s.Index = 2 }), custody.ReasonBadProof},
		{"a member without a share", newcomer, with(5, func(s *custody.Share) { s.Index = 6 }), custody.ReasonNotHolder},
		{"an epoch to come", f.nodes[2], f.shareOf(2, 2, r), custody.ReasonStaleEpoch},
		{"an epoch in name only", f.nodes[2], with(2, func(s *custody.Share) { s.ShareEpoch = 7 }), custody.ReasonStaleEpoch},
		{"in the block of the request", f.nodes[2], f.share(2, early), custody.ReasonTooEarly},
		{"again", f.nodes[1], f.share(1, r), custody.ReasonRepeatedShare},
		{"a point less", f.nodes[2], with(2, func(s *custody.Share) { s.Points = s.Points[:1] }), custody.ReasonWrongCount},
		{"a point more", f.nodes[2], with(2, func(s *custody.Share) { s.Points = append(s.Points, s.Points[0]) }), custody.ReasonWrongCount},
		{"points turned round", f.nodes[2], with(2, func(s *custody.Share) { slices.Reverse(s.Points) }), custody.ReasonBadProof},
		{"one wrong point", f.nodes[2], with(2, func(s *custody.Share) { s.Points[1] = r.Blinded[1] }), custody.ReasonBadProof},
		{"no point", f.nodes[2], with(2, func(s *custody.Share) { s.Points[0] = make([]byte, 32) }), custody.ReasonBadProof},
		{"points of another unlock", f.nodes[2], with(2, func(s *custody.Share) { s.Points = f.share(2, other).Points }), custody.ReasonBadProof},
		{"a share of another unlock", f.nodes[2], with(2, func(s *custody.Share) {
			*s = f.share(2, other)
			s.Unlock = r.Unlock
		}), custody.ReasonBadProof},
		{"one flipped bit", f.nodes[2], with(2, func(s *custody.Share) { s.Proof[0] ^= 1 }), custody.ReasonBadProof},
	} {
		t.Run(tc.name, func(t *testing.T) {
			signer := f.people.principals[tc.node]
			bad, told := f.badShares(2), len(f.hooks.refused)
			require.Equal(t, []string{tc.reason}, f.send(tc.node, tc.share))
			want := audit.Entry{
				Kind: audit.KindShareGiven, Actor: tc.node, Role: signer.Role.Text(), Hospital: signer.Hospital, Patient: patient, Subjects: subjects,
				Unlock: tc.share.Unlock, Outcome: audit.OUTCOME_REFUSED, Reason: tc.reason,
			}
			if tc.reason == custody.ReasonUnknownUnlock {
				want.Patient, want.Subjects = "", nil
			}
			require.Equal(t, want, f.log.last())
			require.Equal(t, []uint64{1}, f.given(r.Unlock))
			require.Equal(t, custody.RELEASE_STATUS_PENDING, f.release(r.Unlock).Status)
			if tc.reason != custody.ReasonBadProof {
				require.Equal(t, bad, f.badShares(2), "only what fails its proof counts against the holder")
				require.Len(t, f.hooks.refused, told)
			}
		})
	}
	require.Empty(t, f.hooks.late)
	f.give(2, r)
	f.nextBlock()
	f.give(2, early)
}

// A bad share is the holder's own fault alone: it stands against it, the others
// release without it, and the holder may still give a right one.
func TestBadShareIsCountedAgainstItsHolder(t *testing.T) {
	f := newFixture(t)
	r := f.pending(1)
	bad := f.share(2, r)
	bad.Points[0] = f.share(3, r).Points[0]
	for i := range 2 {
		require.Equal(t, []string{custody.ReasonBadProof}, f.send(f.nodes[2], bad))
		require.EqualValues(t, i+1, f.badShares(2))
		f.nextBlock()
	}
	require.Equal(t, []told{{r.Unlock, 2, custody.ReasonBadProof}, {r.Unlock, 2, custody.ReasonBadProof}}, f.hooks.refused)
	require.Zero(t, f.badShares(3))
	require.Contains(t, f.work(2, 10), r.Unlock)
	for _, index := range []uint64{1, 3, 4} {
		f.give(index, r)
	}
	require.Empty(t, f.hooks.released)
	f.give(2, r)
	require.Equal(t, []string{r.Unlock}, f.hooks.released)
	require.EqualValues(t, 2, f.badShares(2))
}

// Each share of a message stands for itself.
func TestSharesOfOneMessage(t *testing.T) {
	f := newFixture(t)
	one, two, three := f.requested(1), f.requested(3), f.requested(1)
	f.nextBlock()
	bad := f.share(4, two)
	bad.Proof[40] ^= 1
	foreign := f.share(3, three)
	require.Equal(t, []string{"", custody.ReasonBadProof, custody.ReasonForeignHolder}, f.send(f.nodes[4], f.share(4, one), bad, foreign))
	require.Len(t, f.log.entries, 3)
	require.Equal(t, []uint64{4}, f.given(one.Unlock))
	require.Empty(t, f.given(two.Unlock))
	require.Empty(t, f.given(three.Unlock))
	require.ElementsMatch(t, []string{two.Unlock, three.Unlock}, f.work(4, 1))
}

// A share behind the threshold is kept without an entry: it tells nothing new.
func TestShareAfterTheRelease(t *testing.T) {
	f := newFixture(t)
	r := f.pending(1)
	for index := range uint64(threshold) {
		f.give(index+1, r)
	}
	entries := len(f.log.entries)
	f.give(5, r)
	require.Equal(t, []uint64{1, 2, 3, 4, 5}, f.given(r.Unlock))
	require.Len(t, f.log.entries, entries)
	require.Equal(t, []string{r.Unlock}, f.hooks.released, "it is told once")
	require.Equal(t, []string{custody.ReasonRepeatedShare}, f.send(f.nodes[5], f.share(5, r)))
}

// A right share that comes too late was seen by whoever reads the chain: it is
// kept, its holder refused, and the unlock marked. A wrong one tells nothing.
func TestShareAfterTheWithdrawal(t *testing.T) {
	f := newFixture(t)
	r := f.pending(1)
	f.give(1, r)
	given, err := f.keeper.CloseRelease(f.ctx, r.Unlock)
	require.NoError(t, err)
	require.True(t, given)
	require.Empty(t, f.work(2, 10))

	bad := f.share(2, r)
	bad.Proof[0] ^= 1
	require.Equal(t, []string{custody.ReasonBadProof}, f.send(f.nodes[2], bad))
	require.Empty(t, f.hooks.late)
	require.Equal(t, []string{custody.ReasonReleaseClosed}, f.send(f.nodes[2], f.share(2, r)))
	require.Equal(t, []told{{unlock: r.Unlock, holder: 2}}, f.hooks.late)
	require.Equal(t, audit.Entry{
		Kind: audit.KindShareGiven, Actor: f.nodes[2], Role: "node", Hospital: 2, Patient: patient, Subjects: subjects,
		Unlock: r.Unlock, Outcome: audit.OUTCOME_REFUSED, Reason: custody.ReasonReleaseClosed,
	}, f.log.last())
	require.Equal(t, []uint64{1, 2}, f.given(r.Unlock))
	for _, index := range []uint64{3, 4, 5} {
		require.Equal(t, []string{custody.ReasonReleaseClosed}, f.send(f.nodes[index], f.share(index, r)))
	}
	require.Equal(t, custody.RELEASE_STATUS_CLOSED, f.release(r.Unlock).Status)
	require.Empty(t, f.hooks.released, "what is closed is never released")
}

func TestSubmitSharesErrors(t *testing.T) {
	f := newFixture(t)
	r := f.pending(1)
	for _, tc := range []struct {
		name   string
		node   string
		shares []custody.Share
		err    error
	}{
		{"a stranger", "phrd1nobody", []custody.Share{f.share(1, r)}, consortium.ErrUnknownAccount},
		{"none", f.nodes[1], nil, custody.ErrInvalidBatch},
		{"too many", f.nodes[1], make([]custody.Share, custody.MaxShares+1), custody.ErrInvalidBatch},
		{"two for one unlock", f.nodes[1], []custody.Share{f.share(1, r), f.share(1, r)}, custody.ErrInvalidBatch},
		{"a malformed one behind a good one", f.nodes[1], []custody.Share{f.share(1, r), {}}, custody.ErrInvalidBatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := f.msg.SubmitShares(f.ctx, &custody.MsgSubmitShares{Node: tc.node, Shares: tc.shares})
			require.ErrorIs(t, err, tc.err)
			require.Empty(t, f.log.entries)
			require.Empty(t, f.given(r.Unlock))
		})
	}
}

// The proof is paid for by its points, whether it holds or not.
func TestSharesChargeForTheirProof(t *testing.T) {
	f := newFixture(t)
	small, large := f.requested(1), f.requested(custody.MaxPoints)
	f.nextBlock()
	cost := func(s custody.Share) uint64 {
		s.Proof[0] ^= 1
		before := f.ctx.GasMeter().GasConsumed()
		require.Equal(t, []string{custody.ReasonBadProof}, f.send(f.nodes[1], s))
		return f.ctx.GasMeter().GasConsumed() - before
	}
	require.Greater(t, cost(f.share(1, large)), cost(f.share(1, small))+uint64(custody.MaxPoints-1)*2_000)
}

// Without hooks the module keeps its own part.
func TestSharesWithoutHooks(t *testing.T) {
	f := newFixture(t)
	f.keeper.SetReleaseHooks(nil)
	r := f.pending(1)
	bad := f.share(1, r)
	bad.Proof[0] ^= 1
	require.Equal(t, []string{custody.ReasonBadProof}, f.send(f.nodes[1], bad))
	for index := range uint64(threshold) {
		f.give(index+1, r)
	}
	require.Equal(t, custody.RELEASE_STATUS_RELEASED, f.release(r.Unlock).Status)
	require.Empty(t, f.log.last().Patient)
	_, err := f.keeper.CloseRelease(f.ctx, r.Unlock)
	require.NoError(t, err)
	require.Equal(t, []string{custody.ReasonReleaseClosed}, f.send(f.nodes[5], f.share(5, r)))
}
