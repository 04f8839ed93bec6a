package keeper_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

// Whatever happens in whatever order, the books are right; and once all is quiet, each
// object has its target of healthy copies and nothing else.
func TestBooksAreRightWhateverHappens(t *testing.T) {
	for seed := range uint64(4) {
		f := newFixture(t)
		for member := uint64(5); member <= 8; member++ {
			f.node(member, 1, consortium.ROLE_NODE)
		}
		random := rand.New(rand.NewPCG(seed, 5))
		var objects []string
		for range 300 {
			f.happen(random, &objects)
			f.commit()
		}
		f.checkBooks(objects)
		require.NotEmpty(t, f.told(audit.KindProofMissed))
		require.NotEmpty(t, f.told(audit.KindProofFailed))

		// All come back who may, and take up what they are given.
		for i := range f.people.nodes {
			member := f.people.nodes[i].Member
			f.people.suspended[member] = false
			require.NoError(t, f.keeper.NodesChanged(f.ctx, member))
			f.beat(f.people.nodes[i].Number)
		}
		for round := 0; f.health().Sweeping > 0 || round < 3; round++ {
			f.end(5)
			for _, n := range f.people.nodes {
				if todo := f.assignments(n.Number, storage.MaxPageSize); len(todo) > 0 {
					f.confirm(f.of(n.Number), todo[:min(len(todo), storage.MaxBatch)]...)
				}
			}
		}
		f.checkBooks(objects)
		for _, cid := range objects {
			o := f.object(cid)
			require.Equal(t, storage.STANDING_WHOLE, o.Standing, "%v", o)
			require.GreaterOrEqual(t, o.Held, o.Object.Target)
			for i, c := range o.Copies {
				require.Equal(t, storage.COPY_STATUS_HELD, c.Status)
				require.Equal(t, storage.NODE_STATUS_ALIVE, o.Nodes[i])
			}
		}
	}
}

// happen makes one thing happen.
func (f *fixture) happen(random *rand.Rand, objects *[]string) {
	node := 1 + random.Uint64N(uint64(len(f.people.nodes)))
	n := &f.people.nodes[node-1]
	acts := !f.people.suspended[n.Member]
	switch random.IntN(13) {
	case 0, 1:
		p := f.placement()
		p.Member = 1 + random.Uint64N(8)
		if _, err := f.keeper.Place(f.ctx, p); err == nil {
			*objects = append(*objects, p.CID)
		} else {
			require.ErrorIs(f.t, err, storage.ErrNoRoom)
		}
	case 2, 3, 4:
		if todo := f.assignments(node, storage.MaxPageSize); acts && len(todo) > 0 {
			f.confirm(f.of(node), todo[:1+random.IntN(len(todo))]...)
		}
	case 5:
		if all := f.holdings(node, storage.MaxPageSize); acts && len(all) > 0 {
			f.lose(f.of(node), all[random.IntN(len(all))])
		}
	case 6:
		if acts {
			f.beat(node)
		}
	case 7:
		// Half of them are silent for a while.
		var beating []uint64
		for _, n := range f.people.nodes {
			if n.Number%2 == node%2 && !f.people.suspended[n.Member] {
				beating = append(beating, n.Number)
			}
		}
		f.run(random.Int64N(lost), beating...)
	case 8:
		f.end(random.Int64N(day))
	case 12:
		if all := *objects; len(all) > 0 && random.IntN(2) == 0 {
			i := random.IntN(len(all))
			_, err := f.keeper.Erase(f.ctx, all[i:i+1])
			require.NoError(f.t, err)
			*objects = append(all[:i:i], all[i+1:]...)
		}
	case 9:
		if random.IntN(4) == 0 && node > 4 {
			n.Retired = true
		} else {
			f.people.suspended[n.Member] = acts
		}
		require.NoError(f.t, f.keeper.NodesChanged(f.ctx, n.Member))
	case 10, 11:
		f.proveButFor(random, node)
	}
}

// proveButFor has all nodes but one prove what they are asked for, save what they can't
// read, and some dispute what others say.
func (f *fixture) proveButFor(random *rand.Rand, missing uint64) {
	f.t.Helper()
	f.end(epochTime)
	f.openRest()
	for _, n := range f.people.nodes {
		if f.people.suspended[n.Member] {
			continue
		}
		f.beat(n.Number)
		asked := f.challenges(0, n.Number).Proofs
		if n.Number == missing || len(asked) == 0 || asked[0].Given {
			continue
		}
		msg := f.answer(n.Number)
		if random.IntN(4) == 0 {
			msg.Digests[0] = nil
		}
		_, err := f.msg.SubmitProofs(f.ctx, msg)
		require.NoError(f.t, err)
		for i := range asked[0].Challenges {
			for _, other := range f.people.nodes {
				if random.IntN(3) == 0 && !f.people.suspended[other.Member] {
					f.dispute(f.of(other.Number), storage.Dispute{Epoch: f.epoch().Number, Accused: n.Number, Index: uint32(i)})
				}
			}
		}
	}
}

// checkBooks demands that what is counted is what is there, and that a chain that starts
// from an export counts the same.
func (f *fixture) checkBooks(objects []string) {
	f.t.Helper()
	usage := map[uint64]storage.NodeUsage{}
	short := map[storage.Standing]uint64{}
	for _, cid := range objects {
		o := f.object(cid)
		short[o.Standing]++
		seen := map[storage.Domain]bool{}
		for _, c := range o.Copies {
			u := usage[c.Node]
			u.Node, u.Bytes, u.Objects = c.Node, u.Bytes+o.Object.Size_, u.Objects+1
			if c.Status != storage.COPY_STATUS_HELD {
				u.PendingBytes, u.PendingObjects = u.PendingBytes+o.Object.Size_, u.PendingObjects+1
			}
			usage[c.Node] = u
			n := f.people.nodes[c.Node-1]
			domain := storage.Domain{Member: n.Member, Site: n.Site}
			require.False(f.t, seen[domain], "two copies at one site")
			seen[domain] = true
		}
	}
	h := f.health()
	for _, n := range h.Nodes {
		want := usage[n.Node]
		want.Node = n.Node
		require.Equal(f.t, want, n.Usage)
	}
	require.EqualValues(f.t, len(objects), h.Objects)
	require.Equal(f.t, short[storage.STANDING_PLACING], h.Placing)
	require.Equal(f.t, short[storage.STANDING_REPAIRING], h.Repairing)
	require.Equal(f.t, short[storage.STANDING_ENDANGERED], h.Endangered)
	require.Equal(f.t, short[storage.STANDING_UNRECOVERABLE], h.Unrecoverable)

	exported, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	require.NoError(f.t, exported.Validate())
	twin := &fixture{t: f.t, log: &fakeAudit{}, hooks: &fakeHooks{}, people: f.people}
	twin.open()
	twin.ctx = twin.ctx.WithBlockTime(f.ctx.BlockTime())
	require.NoError(f.t, twin.keeper.InitGenesis(twin.ctx, exported))
	require.Equal(f.t, h, twin.health())
}
