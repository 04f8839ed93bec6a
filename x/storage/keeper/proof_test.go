package keeper_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

// epochTime is how long an epoch lasts by default.
const epochTime = 600

// challenges are those of an epoch, of one node or, for 0, of all.
func (f *fixture) challenges(epoch, node uint64) *storage.QueryChallengesResponse {
	f.t.Helper()
	res, err := f.query.Challenges(f.ctx, &storage.QueryChallengesRequest{Epoch: epoch, Node: node})
	require.NoError(f.t, err)
	return res
}

// epoch is the newest one.
func (f *fixture) epoch() storage.Epoch {
	f.t.Helper()
	return f.challenges(0, 0).Epoch
}

// proof is what a node is asked in the newest epoch.
func (f *fixture) proof(node uint64) storage.Proof {
	f.t.Helper()
	proofs := f.challenges(0, node).Proofs
	require.Len(f.t, proofs, 1)
	return proofs[0]
}

// openEpoch lets the time of an epoch pass, and has these nodes, or all, say that they are
// there once the next one is open.
func (f *fixture) openEpoch(beating ...uint64) {
	f.t.Helper()
	number := f.epoch().Number
	f.end(epochTime)
	f.openRest()
	require.Equal(f.t, number+1, f.epoch().Number)
	if len(beating) == 0 {
		beating = f.but()
	}
	f.beat(beating...)
}

// revealOf is what a node of a test reveals in an epoch.
func revealOf(epoch, node uint64) [32]byte {
	return lock.H32("reveal", lock.Uint(epoch), lock.Uint(node))
}

// answer is a node's honest answer to its challenges. The chain can't see what the digests
// are of.
func (f *fixture) answer(node uint64) *storage.MsgSubmitProofs {
	f.t.Helper()
	asked := f.challenges(0, node)
	require.Len(f.t, asked.Proofs, 1)
	number := asked.Epoch.Number
	msg := &storage.MsgSubmitProofs{Node: f.of(node), Epoch: number}
	if asked.Committed {
		reveal := revealOf(number, node)
		msg.Reveal = reveal[:]
	}
	commitment := lock.RevealCommitment(number+1, node, revealOf(number+1, node))
	msg.Commitment = commitment[:]
	for i := range asked.Proofs[0].Challenges {
		digest := lock.H32("digest", lock.Uint(number), lock.Uint(node), lock.Uint(uint64(i)))
		msg.Digests = append(msg.Digests, digest[:])
	}
	return msg
}

// prove has nodes answer honestly.
func (f *fixture) prove(nodes ...uint64) {
	f.t.Helper()
	for _, node := range nodes {
		_, err := f.msg.SubmitProofs(f.ctx, f.answer(node))
		require.NoError(f.t, err)
	}
}

// dispute sends disputes and answers the reasons of refusals, in order.
func (f *fixture) dispute(signer string, disputes ...storage.Dispute) []string {
	f.t.Helper()
	res, err := f.msg.DisputeProofs(f.ctx, &storage.MsgDisputeProofs{Node: signer, Disputes: disputes})
	require.NoError(f.t, err)
	require.Len(f.t, res.Results, len(disputes))
	reasons := make([]string, len(disputes))
	for i, r := range res.Results {
		reasons[i] = r.Reason
		require.Equal(f.t, r.Reason == "", r.Outcome == audit.OUTCOME_OK)
		require.Equal(f.t, r.Reason != "", r.Outcome == audit.OUTCOME_REFUSED)
	}
	return reasons
}

// setParams changes the rules.
func (f *fixture) setParams(change func(*storage.Params)) {
	f.t.Helper()
	params := storage.DefaultParams()
	change(&params)
	_, err := f.msg.UpdateParams(f.ctx, &storage.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(f.t, err)
}

// copies has every object kept by so many nodes, of which one is enough.
func (f *fixture) copies(target uint32) {
	f.t.Helper()
	f.setParams(func(p *storage.Params) {
		for i := range p.Copies {
			p.Copies[i].Minimum, p.Copies[i].Target = 1, target
		}
	})
}

// has says whether a node is to keep an object, and how its copy stands.
func (f *fixture) has(cid string, node uint64) storage.CopyStatus {
	f.t.Helper()
	for _, c := range f.object(cid).Copies {
		if c.Node == node {
			return c.Status
		}
	}
	return storage.COPY_STATUS_UNSPECIFIED
}

// strikes are those against a node.
func (f *fixture) strikes(node uint64) uint64 {
	f.t.Helper()
	return f.health().Nodes[node-1].Strikes
}

// An epoch opens when its time has come and somebody holds something. Every node that does
// is asked for leaves of what it holds, and for no more than the rules say.
func TestEpochOpens(t *testing.T) {
	f := newFixture(t)
	f.end(epochTime)
	f.end(epochTime)
	require.Zero(t, f.epoch().Number, "nothing is held")
	p := f.placement()
	p.Size = 5<<20 + 1
	nodes, err := f.keeper.Place(f.ctx, p)
	require.NoError(t, err)
	f.confirm(f.of(nodes[0]), p.CID)
	f.end(0)
	require.EqualValues(t, 1, f.epoch().Number)
	require.Equal(t, storage.EPOCH_STEP_OPEN, f.epoch().Step)
	require.Equal(t, f.ctx.BlockTime().Unix(), f.epoch().Since)
	require.Len(t, f.challenges(1, 0).Proofs, 1, "of four nodes one holds something")

	proof := f.proof(nodes[0])
	require.NotEmpty(t, proof.Challenges)
	require.LessOrEqual(t, len(proof.Challenges), 6, "it has six leaves")
	seen := map[uint64]bool{}
	for _, c := range proof.Challenges {
		require.Equal(t, p.CID, c.Object)
		require.Less(t, c.Leaf, uint64(6))
		require.False(t, seen[c.Leaf], "a leaf is asked for once")
		seen[c.Leaf] = true
	}
	// What is asked stands until the next epoch opens.
	f.confirm(f.of(nodes[1]), p.CID)
	f.end(epochTime - 1)
	require.EqualValues(t, 1, f.epoch().Number)
	require.Equal(t, proof, f.proof(nodes[0]))
	f.end(1)
	require.EqualValues(t, 2, f.epoch().Number)
	require.Len(t, f.challenges(2, 0).Proofs, 2)

	f.setParams(func(p *storage.Params) { p.ChallengeInterval = 0 })
	f.end(10 * epochTime)
	require.EqualValues(t, 2, f.epoch().Number, "no more proofs are asked for")
}

// Every held object has its turn, whatever its form, and only those that are held.
func TestEveryObjectIsAsked(t *testing.T) {
	f := newFixture(t)
	f.copies(4)
	want := map[string]bool{}
	for i := range uint64(12) {
		p := f.placement()
		if i%3 == 0 {
			p.CID = lock.RawCID(sha256.Sum256([]byte(text(i)))).String()
		}
		_, err := f.keeper.Place(f.ctx, p)
		require.NoError(t, err)
		if i < 10 {
			f.confirm(f.of(2), p.CID)
			want[p.CID] = true
		}
	}
	seen := map[string]bool{}
	for range 60 {
		f.openEpoch()
		for _, c := range f.proof(2).Challenges {
			require.Zero(t, c.Leaf, "each has one leaf")
			seen[c.Object] = true
		}
		f.prove(2)
	}
	require.Equal(t, want, seen)
}

// What a proposer can do about the next seed is to leave out its own reveal. The order of
// what it puts into a block changes nothing, nor can it reveal anything but what it
// committed itself to.
func TestSeedCannotBeSteered(t *testing.T) {
	seedAfter := func(epochs int, order func(epoch uint64) []uint64) []byte {
		f := newFixture(t)
		f.copies(4)
		f.place()
		cid, _ := f.place()
		for node := range uint64(4) {
			f.confirm(f.of(node+1), cid)
		}
		for range epochs {
			f.openEpoch()
			number := f.epoch().Number
			f.prove(order(number)...)
			// Nobody adds a second reveal or another one.
			for _, node := range order(number) {
				_, err := f.msg.SubmitProofs(f.ctx, f.answer(node))
				require.ErrorIs(t, err, storage.ErrProven)
			}
		}
		f.openEpoch()
		return f.epoch().Seed
	}
	all := func(uint64) []uint64 { return []uint64{1, 2, 3, 4} }
	first, seed := seedAfter(1, all), seedAfter(2, all)
	require.Equal(t, seed, seedAfter(2, func(uint64) []uint64 { return []uint64{4, 2, 1, 3} }), "the order does not matter")
	withheld := func(epoch uint64) []uint64 {
		if epoch == 2 {
			return []uint64{2, 3, 4}
		}
		return []uint64{1, 2, 3, 4}
	}
	other := seedAfter(2, withheld)
	require.NotEqual(t, seed, other, "its own bit counts")
	require.Equal(t, first, seedAfter(1, func(uint64) []uint64 { return []uint64{2, 3, 4} }), "where nothing is revealed nothing is withheld")

	// Both are what follows from the reveals of the others and nothing else.
	for _, tc := range []struct {
		reveals []uint64
		want    []byte
	}{{[]uint64{1, 2, 3, 4}, seed}, {[]uint64{2, 3, 4}, other}} {
		mix := make([]byte, 32)
		for _, node := range tc.reveals {
			reveal := revealOf(2, node)
			h := lock.H32("phrd/v1/reveal", lock.Uint(2), lock.Uint(node), reveal[:])
			for i := range mix {
				mix[i] ^= h[i]
			}
		}
		want := lock.H32("phrd/v1/challenge", lock.Uint(3), first, mix)
		require.Equal(t, want[:], tc.want)
	}
}

func TestProofErrors(t *testing.T) {
	f := newFixture(t)
	cid, holder, others := f.whole()
	f.openEpoch()
	f.prove(f.on(cid)...)
	f.openEpoch()
	other := f.on(cid)[0]
	foreign, twisted := revealOf(2, other), revealOf(3, holder)
	suspended := f.account(consortium.ROLE_STORAGE, 1)
	p := f.people.principals[suspended]
	p.Active = false
	f.people.principals[suspended] = p

	for _, tc := range []struct {
		name   string
		change func(*storage.MsgSubmitProofs)
		err    error
	}{
		{"a stranger", func(m *storage.MsgSubmitProofs) { m.Node = "phrd1nobody" }, consortium.ErrUnknownAccount},
		{"a clerk", func(m *storage.MsgSubmitProofs) { m.Node = f.account(consortium.ROLE_CLERK, 1) }, storage.ErrUnauthorized},
		{"a suspended member's node", func(m *storage.MsgSubmitProofs) { m.Node = suspended }, storage.ErrUnauthorized},
		{"a node that holds nothing", func(m *storage.MsgSubmitProofs) { m.Node = f.of(others[0]) }, storage.ErrNotChallenged},
		{"the epoch before", func(m *storage.MsgSubmitProofs) { m.Epoch-- }, storage.ErrEpoch},
		{"the next epoch", func(m *storage.MsgSubmitProofs) { m.Epoch++ }, storage.ErrEpoch},
		{"no reveal", func(m *storage.MsgSubmitProofs) { m.Reveal = nil }, storage.ErrReveal},
		{"another reveal", func(m *storage.MsgSubmitProofs) { m.Reveal = bytes.Repeat([]byte{1}, 32) }, storage.ErrReveal},
		{"another node's reveal", func(m *storage.MsgSubmitProofs) { m.Reveal = foreign[:] }, storage.ErrReveal},
		{"the next epoch's reveal", func(m *storage.MsgSubmitProofs) { m.Reveal = twisted[:] }, storage.ErrReveal},
		{"half a reveal", func(m *storage.MsgSubmitProofs) { m.Reveal = m.Reveal[:16] }, storage.ErrInvalidProof},
		{"no commitment", func(m *storage.MsgSubmitProofs) { m.Commitment = nil }, storage.ErrInvalidProof},
		{"a long commitment", func(m *storage.MsgSubmitProofs) { m.Commitment = append(m.Commitment, 0) }, storage.ErrInvalidProof},
		{"no digests", func(m *storage.MsgSubmitProofs) { m.Digests = nil }, storage.ErrInvalidProof},
		{"a digest too many", func(m *storage.MsgSubmitProofs) { m.Digests = append(m.Digests, m.Digests[0]) }, storage.ErrInvalidProof},
		{"half a digest", func(m *storage.MsgSubmitProofs) { m.Digests[0] = m.Digests[0][:16] }, storage.ErrInvalidProof},
		{"more digests than there can be", func(m *storage.MsgSubmitProofs) {
			m.Digests = slices.Repeat(m.Digests[:1], storage.MaxChallenges+1)
		}, storage.ErrInvalidProof},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, entries := f.commit(), len(f.log.entries)
			msg := f.answer(holder)
			tc.change(msg)
			_, err := f.msg.SubmitProofs(f.ctx, msg)
			require.ErrorIs(t, err, tc.err)
			require.Equal(t, before, f.commit())
			require.Len(t, f.log.entries, entries)
		})
	}
	late := f.answer(other)
	_, err := f.msg.SubmitProofs(f.ctx, f.answer(holder))
	require.NoError(t, err)
	_, err = f.msg.SubmitProofs(f.ctx, f.answer(holder))
	require.ErrorIs(t, err, storage.ErrProven)
	require.True(t, f.proof(holder).Given)
	require.EqualValues(t, 1, f.epoch().Proven)
	f.end(epochTime)
	_, err = f.msg.SubmitProofs(f.ctx, late)
	require.ErrorIs(t, err, storage.ErrEpoch, "too late")
}

// Who is not committed reveals nothing.
func TestRevealWithoutCommitment(t *testing.T) {
	f := newFixture(t)
	_, holder, _ := f.whole()
	f.openEpoch()
	msg := f.answer(holder)
	require.Empty(t, msg.Reveal)
	reveal := revealOf(1, holder)
	msg.Reveal = reveal[:]
	_, err := f.msg.SubmitProofs(f.ctx, msg)
	require.ErrorIs(t, err, storage.ErrReveal)
	f.prove(holder)
	// One that misses an epoch is not committed in the next.
	f.openEpoch()
	require.True(t, f.challenges(0, holder).Committed)
	f.openEpoch()
	require.False(t, f.challenges(0, holder).Committed)
}

// A node that is there and gives no proof loses the copies that it was asked about, which
// others get. Those that gave theirs keep them.
func TestMissedProof(t *testing.T) {
	f := newFixture(t)
	cid, holder, others := f.whole()
	require.Len(t, others, 1)
	f.openEpoch()
	honest := f.but(append(others, holder)...)
	f.prove(honest...)
	f.end(epochTime - 1)
	require.Equal(t, storage.COPY_STATUS_HELD, f.has(cid, holder))
	f.end(1)

	require.Equal(t, storage.COPY_STATUS_UNSPECIFIED, f.has(cid, holder), "it is not to keep it any more")
	require.Equal(t, storage.COPY_STATUS_ASSIGNED, f.has(cid, others[0]))
	require.Equal(t, storage.STANDING_REPAIRING, f.object(cid).Standing)
	require.EqualValues(t, 2, f.held(cid))
	require.Equal(t, []string{storage.ReasonNotAssigned}, f.confirm(f.of(holder), cid))
	require.EqualValues(t, 1, f.strikes(holder))
	missed := f.told(audit.KindProofMissed)
	require.Equal(t, []audit.Entry{{
		Kind: audit.KindProofMissed, Role: audit.RoleChain, Target: text(holder), Patient: patient, Subjects: subjects, Count: 2, Outcome: audit.OUTCOME_OK,
	}}, missed)
	require.Len(t, f.told(audit.KindCopyReassigned), 1)
	require.Contains(t, f.hooks.changes, changed{cid, 2, 3})
	require.Zero(t, f.usage(holder).Objects)
	for _, node := range honest {
		require.Equal(t, storage.COPY_STATUS_HELD, f.has(cid, node))
		require.Zero(t, f.strikes(node))
	}
	f.confirm(f.of(others[0]), cid)
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)
	require.Len(t, f.challenges(1, holder).Proofs[0].Challenges, 1)
	require.True(t, f.challenges(1, holder).Proofs[0].Challenges[0].Failed)
}

// Who is silent all the time is missed as a node. Who beats, be it once, must answer.
func TestSilentNodeMissesNoProof(t *testing.T) {
	for _, tc := range []struct {
		name  string
		beats bool
		want  storage.CopyStatus
	}{
		{"silent", false, storage.COPY_STATUS_HELD},
		{"beats once", true, storage.COPY_STATUS_UNSPECIFIED},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			cid, holder, others := f.whole()
			f.openEpoch(f.but(holder)...)
			f.prove(f.but(append(others, holder)...)...)
			f.end(1)
			if tc.beats {
				f.beat(holder)
			}
			f.end(epochTime)
			require.Equal(t, tc.want, f.has(cid, holder))
			require.Equal(t, tc.beats, f.strikes(holder) > 0)
			require.Equal(t, tc.beats, len(f.told(audit.KindProofMissed)) > 0)
		})
	}
}

// A node that is drained while it is asked need not answer: its member may not be able to.
func TestDrainingNodeMissesNoProof(t *testing.T) {
	f := newFixture(t)
	cid, holder, others := f.whole()
	f.openEpoch()
	f.prove(f.but(append(others, holder)...)...)
	f.people.suspended[holder] = true
	require.NoError(t, f.keeper.NodesChanged(f.ctx, holder))
	f.end(epochTime)
	require.Equal(t, storage.COPY_STATUS_HELD, f.has(cid, holder))
	require.Empty(t, f.told(audit.KindProofMissed))
	require.Empty(t, f.challenges(0, holder).Proofs, "and is not asked again")
}

// When less than half of the nodes answer, the network is at fault and nobody is judged.
func TestVoidEpoch(t *testing.T) {
	for _, tc := range []struct {
		name   string
		proven []uint64
		want   int
	}{
		{"two of four", []uint64{1, 3}, 2},
		{"one of four", []uint64{1}, 0},
		{"none", nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			f.copies(4)
			cid, nodes := f.place()
			for _, node := range nodes {
				f.confirm(f.of(node), cid)
			}
			f.openEpoch()
			require.EqualValues(t, 4, f.epoch().Challenged)
			f.prove(tc.proven...)
			f.end(epochTime)
			require.Len(t, f.told(audit.KindProofMissed), tc.want)
			require.EqualValues(t, 4-tc.want, f.held(cid))
		})
	}
}

// A node that can't read a leaf says so, and others get the copy at once.
func TestUnreadableLeaf(t *testing.T) {
	f := newFixture(t)
	cid, holder, others := f.whole()
	f.openEpoch()
	msg := f.answer(holder)
	msg.Digests[0] = nil
	_, err := f.msg.SubmitProofs(f.ctx, msg)
	require.NoError(t, err)
	require.Equal(t, storage.COPY_STATUS_UNSPECIFIED, f.has(cid, holder))
	require.Equal(t, storage.COPY_STATUS_ASSIGNED, f.has(cid, others[0]))
	require.EqualValues(t, 1, f.strikes(holder))
	require.Len(t, f.told(audit.KindProofMissed), 1)
	f.prove(f.but(append(others, holder)...)...)
	f.end(epochTime)
	require.EqualValues(t, 1, f.strikes(holder), "it is judged once")
	require.Len(t, f.told(audit.KindProofMissed), 1)
}

// A copy that its node has reported lost meanwhile is no matter of proof any more.
func TestReportedCopyIsNoMissedProof(t *testing.T) {
	f := newFixture(t)
	cid, holder, others := f.whole()
	f.openEpoch()
	f.prove(f.but(append(others, holder)...)...)
	require.Equal(t, []string{""}, f.lose(f.of(holder), cid))
	f.end(epochTime)
	require.Equal(t, storage.COPY_STATUS_LOST, f.has(cid, holder), "it fetches it again")
	require.Zero(t, f.strikes(holder))
	require.Empty(t, f.told(audit.KindProofMissed))
}

// Where nobody else can take over, the node is to fetch its copy again. When it says that
// it has it, it is asked again.
func TestFailedCopyWithoutAnotherNode(t *testing.T) {
	f := newFixture(t)
	f.copies(4)
	cid, nodes := f.place()
	for _, node := range nodes {
		f.confirm(f.of(node), cid)
	}
	for round := range uint64(2) {
		f.openEpoch()
		require.Equal(t, cid, f.proof(4).Challenges[0].Object)
		f.prove(1, 2, 3)
		f.end(epochTime - 1)
		f.beat(1, 2, 3, 4)
		f.openEpoch()
		require.Equal(t, storage.COPY_STATUS_LOST, f.has(cid, 4))
		require.EqualValues(t, 3, f.held(cid))
		require.Equal(t, round+1, f.strikes(4))
		f.prove(1, 2, 3)
		require.Equal(t, []string{""}, f.confirm(f.of(4), cid))
		require.EqualValues(t, 4, f.held(cid))
	}
}

// The last copy of an object stays where it is, proven or not: there is nobody to fetch it
// from.
func TestLastCopyStays(t *testing.T) {
	f := newFixture(t)
	f.copies(2)
	cid, nodes := f.place()
	f.confirm(f.of(nodes[0]), cid)
	f.openEpoch()
	msg := f.answer(nodes[0])
	msg.Digests[0] = nil
	_, err := f.msg.SubmitProofs(f.ctx, msg)
	require.NoError(t, err)
	require.Equal(t, storage.COPY_STATUS_LOST, f.has(cid, nodes[0]))
	require.Equal(t, nodes, f.on(cid))
	require.Equal(t, storage.STANDING_UNRECOVERABLE, f.object(cid).Standing)
	f.confirm(f.of(nodes[0]), cid)
	require.EqualValues(t, 1, f.held(cid))
}

// A copy is taken from a node when more than half of the other holders got another digest.
func TestDisputeMajority(t *testing.T) {
	for _, tc := range []struct {
		name                       string
		holders, against, afterOne uint32
	}{
		{"two holders: the other one", 2, 1, 1},
		{"three holders: both others", 3, 2, 3},
		{"four holders: two of the others", 4, 2, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			f.node(5, 1, consortium.ROLE_NODE)
			f.copies(tc.holders)
			cid, nodes := f.place()
			for _, node := range nodes {
				f.confirm(f.of(node), cid)
			}
			f.openEpoch()
			accused := nodes[0]
			f.prove(nodes...)
			d := storage.Dispute{Epoch: 1, Accused: accused}
			require.Equal(t, []string{""}, f.dispute(f.of(nodes[1]), d))
			require.Equal(t, tc.afterOne, f.held(cid))
			disputed := f.told(audit.KindProofDisputed)
			require.Equal(t, []audit.Entry{{
				Kind: audit.KindProofDisputed, Actor: f.of(nodes[1]), Role: "node", Hospital: nodes[1], Target: text(accused),
				Patient: patient, Subjects: subjects, Outcome: audit.OUTCOME_OK,
			}}, disputed)
			for _, node := range nodes[2 : tc.against+1] {
				require.Equal(t, []string{""}, f.dispute(f.of(node), d))
			}
			require.Equal(t, tc.holders-1, f.held(cid))
			require.Equal(t, storage.COPY_STATUS_UNSPECIFIED, f.has(cid, accused))
			require.EqualValues(t, 1, f.strikes(accused))
			require.Equal(t, []audit.Entry{{
				Kind: audit.KindProofFailed, Role: audit.RoleChain, Target: text(accused), Patient: patient, Subjects: subjects,
				Count: uint64(tc.holders - 1), Outcome: audit.OUTCOME_OK,
			}}, f.told(audit.KindProofFailed))
			require.Len(t, f.told(audit.KindCopyReassigned), 1)
			// One more who says so changes nothing.
			for _, node := range nodes[tc.against+1:] {
				require.Equal(t, []string{""}, f.dispute(f.of(node), d))
			}
			require.EqualValues(t, 1, f.strikes(accused))
			require.Len(t, f.told(audit.KindProofFailed), 1)
		})
	}
}

// One liar among three holders takes nothing from anybody, however often it says it.
func TestOneLiarEvictsNobody(t *testing.T) {
	f := newFixture(t)
	cid, liar, _ := f.whole()
	for range 3 {
		f.openEpoch()
		f.prove(f.on(cid)...)
		number := f.epoch().Number
		for _, node := range f.on(cid) {
			if node != liar {
				require.Equal(t, []string{""}, f.dispute(f.of(liar), storage.Dispute{Epoch: number, Accused: node}))
				require.Equal(t, []string{storage.ReasonDisputedBefore}, f.dispute(f.of(liar), storage.Dispute{Epoch: number, Accused: node}))
			}
		}
		require.EqualValues(t, 3, f.held(cid))
	}
	require.Empty(t, f.told(audit.KindProofFailed))
	for _, node := range f.but() {
		require.Zero(t, f.strikes(node))
	}
}

func TestDisputeRefusals(t *testing.T) {
	f := newFixture(t)
	cid, holder, others := f.whole()
	stranger, honest := others[0], f.on(cid)[0]
	silent := f.on(cid)[1]
	f.openEpoch()
	f.prove(honest, holder)
	d := func(change func(*storage.Dispute)) storage.Dispute {
		d := storage.Dispute{Epoch: 1, Accused: holder}
		change(&d)
		return d
	}
	same := func(*storage.Dispute) {}
	suspended := f.account(consortium.ROLE_STORAGE, 1)
	p := f.people.principals[suspended]
	p.Active = false
	f.people.principals[suspended] = p
	for _, tc := range []struct {
		name, signer string
		dispute      storage.Dispute
		want         string
	}{
		{"a clerk", f.account(consortium.ROLE_CLERK, 1), d(same), storage.ReasonWrongRole},
		{"a suspended member's node", suspended, d(same), storage.ReasonInactive},
		{"who does not hold it", f.of(stranger), d(same), storage.ReasonNotHeld},
		{"who said it", f.of(holder), d(same), storage.ReasonOwnProof},
		{"of an epoch to come", f.of(honest), d(func(d *storage.Dispute) { d.Epoch = 2 }), storage.ReasonUnknownChallenge},
		{"of no epoch", f.of(honest), d(func(d *storage.Dispute) { d.Epoch = 0 }), storage.ReasonUnknownChallenge},
		{"of the highest epoch", f.of(honest), d(func(d *storage.Dispute) { d.Epoch = 1<<64 - 1 }), storage.ReasonUnknownChallenge},
		{"against who was not asked", f.of(honest), d(func(d *storage.Dispute) { d.Accused = stranger }), storage.ReasonUnknownChallenge},
		{"against nobody", f.of(honest), d(func(d *storage.Dispute) { d.Accused = 99 }), storage.ReasonUnknownChallenge},
		{"of what was not asked", f.of(honest), d(func(d *storage.Dispute) { d.Index = 1 }), storage.ReasonUnknownChallenge},
		{"of the highest index", f.of(honest), d(func(d *storage.Dispute) { d.Index = 1<<32 - 1 }), storage.ReasonUnknownChallenge},
		{"of what was not answered", f.of(honest), d(func(d *storage.Dispute) { d.Accused = silent }), storage.ReasonNoDigest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, entries := f.commit(), len(f.log.entries)
			require.Equal(t, []string{tc.want}, f.dispute(tc.signer, tc.dispute))
			require.Equal(t, before, f.commit())
			require.Len(t, f.log.entries, entries+1)
			e := f.log.last()
			require.Equal(t, audit.Entry{
				Kind: audit.KindProofDisputed, Actor: tc.signer, Role: e.Role, Hospital: e.Hospital, Target: text(tc.dispute.Accused),
				Outcome: audit.OUTCOME_REFUSED, Reason: tc.want,
			}, e)
		})
	}
	_, err := f.msg.DisputeProofs(f.ctx, &storage.MsgDisputeProofs{Node: "phrd1nobody", Disputes: []storage.Dispute{{Epoch: 1}}})
	require.ErrorIs(t, err, consortium.ErrUnknownAccount)
	_, err = f.msg.DisputeProofs(f.ctx, &storage.MsgDisputeProofs{Node: f.of(honest)})
	require.ErrorIs(t, err, storage.ErrInvalidBatch)

	// A refused one leaves the others of its message alone, and the epoch after is early enough.
	f.openEpoch()
	require.Equal(t, []string{storage.ReasonOwnProof, ""}, f.dispute(f.of(honest), d(func(d *storage.Dispute) { d.Accused = honest }), d(same)))
	f.prove(honest, holder)
	f.openEpoch()
	require.Equal(t, []string{storage.ReasonUnknownChallenge}, f.dispute(f.of(honest), d(same)), "two epochs later it is too late")
	require.Equal(t, []string{""}, f.dispute(f.of(honest), d(func(d *storage.Dispute) { d.Epoch = 2 })))
}

// One who disputed and holds the object no more does not count.
func TestDisputerMustStillHold(t *testing.T) {
	f := newFixture(t)
	cid, accused, _ := f.whole()
	f.openEpoch()
	f.prove(f.on(cid)...)
	d := storage.Dispute{Epoch: 1, Accused: accused}
	first, second := f.on(cid)[0], f.on(cid)[1]
	require.Equal(t, []string{""}, f.dispute(f.of(first), d))
	f.lose(f.of(first), cid)
	require.EqualValues(t, 2, f.held(cid))
	require.Equal(t, []string{""}, f.dispute(f.of(second), d))
	require.Equal(t, storage.COPY_STATUS_UNSPECIFIED, f.has(cid, accused), "all who hold it say so")
}

// The steps of an epoch take as many blocks as they need, some nodes each; an epoch that
// was forgotten leaves nothing behind.
func TestEpochWorkIsBounded(t *testing.T) {
	f := newFixture(t)
	const more = 2 * storage.MaxProofsPerBlock
	for member := range uint64(more) {
		f.node(5+member, 1, consortium.ROLE_NODE)
	}
	f.copies(storage.MaxCopies)
	cid, nodes := f.place()
	require.Len(t, nodes, more+4)
	for _, node := range nodes {
		f.confirm(f.of(node), cid)
	}
	asked := func(epoch uint64) (n int) {
		for after := uint64(0); ; {
			res, err := f.query.Challenges(f.ctx, &storage.QueryChallengesRequest{Epoch: epoch, After: after, Limit: 3})
			if status.Code(err) == codes.NotFound {
				return -1
			}
			require.NoError(t, err)
			n += len(res.Proofs)
			if after = res.Next; after == 0 {
				return n
			}
		}
	}
	f.end(epochTime)
	require.Equal(t, storage.EPOCH_STEP_DRAWING, f.epoch().Step)
	require.Equal(t, storage.MaxProofsPerBlock, asked(1))
	f.prove(nodes[0]) // who knows its challenges may answer
	f.end(1)
	require.Equal(t, 2*storage.MaxProofsPerBlock, asked(1))
	f.end(1)
	require.Equal(t, storage.EPOCH_STEP_OPEN, f.epoch().Step)
	require.Equal(t, more+4, asked(1))
	f.beat(f.but()...)
	f.prove(nodes[1 : len(nodes)-2]...)

	before := f.commit()
	for range 20 {
		f.end(5)
		require.Equal(t, before, f.commit(), "in an open epoch nothing is due")
	}
	f.end(epochTime)
	require.Equal(t, storage.EPOCH_STEP_JUDGING, f.epoch().Step)
	require.Empty(t, f.told(audit.KindProofMissed))
	require.Zero(t, asked(2))
	f.openRest()
	require.Len(t, f.told(audit.KindProofMissed), 2)
	require.Equal(t, more+2, asked(2), "two have nothing to prove any more")
	f.beat(f.but()...)
	for range 2 {
		f.openEpoch()
	}
	require.Equal(t, -1, asked(1))
	require.Equal(t, -1, asked(2))
	require.Equal(t, -1, asked(5))
	require.Positive(t, asked(3))
	require.Positive(t, asked(4))
	_, err := f.query.Challenges(f.ctx, &storage.QueryChallengesRequest{Limit: storage.MaxPageSize + 1})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}

// openRest goes on with blocks until the epoch is open.
func (f *fixture) openRest() {
	f.t.Helper()
	for range 100 {
		if f.epoch().Step == storage.EPOCH_STEP_OPEN {
			return
		}
		f.end(1)
	}
	require.FailNow(f.t, "the epoch does not open")
}

// An exported chain keeps strikes, and numbers its epochs on, so that nobody reveals the
// same twice.
func TestGenesisKeepsStrikes(t *testing.T) {
	f := newFixture(t)
	_, holder, others := f.whole()
	f.openEpoch()
	f.prove(f.but(append(others, holder)...)...)
	f.openEpoch()
	require.EqualValues(t, 1, f.strikes(holder))
	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, []storage.Strikes{{Node: holder, Count: 1}}, exported.Strikes)
	require.Equal(t, storage.Epoch{Number: 2, Seed: f.epoch().Seed}, exported.Epoch)
	at := f.ctx.BlockTime()

	f.restart(exported)
	f.ctx = f.ctx.WithBlockTime(at)
	again, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	require.EqualValues(t, 1, f.strikes(holder))
	require.Empty(t, f.challenges(0, 0).Proofs)
	f.end(0)
	require.EqualValues(t, 3, f.epoch().Number)

	exported.Strikes[0].Node = 99
	f.open()
	require.ErrorIs(t, f.keeper.InitGenesis(f.ctx, exported), consortium.ErrUnknownNode)
}

// Two networks do not ask the same.
func TestFirstSeedIsTheNetworks(t *testing.T) {
	one, other := storage.FirstEpoch("phrd-1").Next(), storage.FirstEpoch("phrd-2").Next()
	require.NotEqual(t, one.Seed, other.Seed)
	require.EqualValues(t, 1, one.Number)
	p, leaf := one.Pick(1, 0)
	q, _ := one.Pick(2, 0)
	require.NotEqual(t, p, q)
	require.NotEqual(t, leaf, binary.BigEndian.Uint64(p[:8]))
}
