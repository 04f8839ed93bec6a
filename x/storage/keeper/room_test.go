package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/storage"
)

// Nodes without room on their disks get nothing, and are asked again when they have.
func TestRoomOnTheDisk(t *testing.T) {
	f := newFixture(t)
	const size = 4096
	f.beatWith(3, size-1)
	f.beatWith(4, 2*size)
	cid, nodes := f.place()
	require.Equal(t, []uint64{1, 2, 4}, nodes)
	second, nodes := f.place()
	require.Equal(t, []uint64{1, 2, 4}, nodes)
	third, nodes := f.place()
	require.Equal(t, []uint64{1, 2}, nodes, "what is on its way counts")
	f.beatWith(3, size-1)
	f.end(5)
	require.Len(t, f.on(third), 2)
	f.beatWith(3, 10*size)
	f.end(5)
	require.Equal(t, []uint64{1, 2, 3}, f.on(third))
	require.Equal(t, []uint64{1, 2, 4}, f.on(cid))
	require.Equal(t, []uint64{1, 2, 4}, f.on(second))
	require.EqualValues(t, 2*size, f.usage(4).PendingBytes)
	f.confirm(f.of(4), cid)
	require.EqualValues(t, size, f.usage(4).PendingBytes)
}

// A node that is to fetch what its disk has no room for keeps nobody waiting for ever: after
// a while another domain has the copy, too, and the first one that comes is kept.
func TestCopyThatIsStuck(t *testing.T) {
	f := newFixture(t)
	const size = 4096
	cid, nodes := f.place()
	other := f.but(nodes...)
	f.confirm(f.of(nodes[0]), cid)
	f.confirm(f.of(nodes[1]), cid)
	f.beatWith(nodes[2], size)
	for range lost / interval {
		f.run(interval, nodes[0], nodes[1], other[0])
		f.beatWith(nodes[2], size)
	}
	f.end(5)
	require.Equal(t, nodes, f.on(cid), "a disk with room is slow, not stuck")
	f.beatWith(nodes[2], size-1)
	f.end(5)
	require.ElementsMatch(t, append(other, nodes...), f.on(cid))
	require.Len(t, f.told(audit.KindCopyReassigned), 1)
	f.beatWith(nodes[2], size-2)
	f.end(5)
	require.Len(t, f.told(audit.KindCopyReassigned), 1, "one more copy is enough")

	f.confirm(f.of(other[0]), cid)
	require.Equal(t, storage.STANDING_WHOLE, f.object(cid).Standing)
	require.NotContains(t, f.on(cid), nodes[2])
}

// A copy that waits for room for a short time stays where it is.
func TestCopyThatWaitsForRoom(t *testing.T) {
	f := newFixture(t)
	cid, nodes := f.place()
	f.beatWith(nodes[2], 1)
	f.end(5)
	require.Equal(t, nodes, f.on(cid))
}

// What found no room is looked at again in the next epoch of proofs, for nobody may tell of
// the room: here two copies were confirmed, and count no more as what is still to come.
func TestRoomThatNobodyTellsOf(t *testing.T) {
	f := newFixture(t)
	const size = 4096
	f.beatWith(3, size)
	f.beatWith(4, size)
	first, _ := f.place()
	second, _ := f.place()
	third, _ := f.place()
	for _, cid := range []string{first, second} {
		require.Len(t, f.on(cid), 3)
		for _, node := range f.on(cid) {
			f.confirm(f.of(node), cid)
		}
	}
	f.end(5)
	require.Len(t, f.on(third), 2)
	f.end(storage.DefaultParams().ChallengeInterval)
	f.end(5)
	require.Len(t, f.on(third), 3)

	before := f.commit()
	f.end(5)
	require.Equal(t, before, f.commit(), "once is enough")
}

// A member brings in no more than its quota.
func TestQuota(t *testing.T) {
	f := newFixture(t)
	params := storage.DefaultParams()
	params.Quota = 2*4096 + 1
	_, err := f.msg.UpdateParams(f.ctx, &storage.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	f.place()
	admits := func(member, size uint64) string {
		room, err := f.keeper.Room(f.ctx, member)
		require.NoError(t, err)
		return room.Admits(size, size)
	}
	require.Empty(t, admits(1, 4097))
	require.Equal(t, storage.ReasonOverQuota, admits(1, 4098))
	require.Empty(t, admits(2, 2*4096))
	require.Equal(t, storage.ReasonOverQuota, admits(2, 2*4096+2))
	f.place()
	p := f.placement()
	_, err = f.keeper.Place(f.ctx, p)
	require.ErrorIs(t, err, storage.ErrQuota)
	p.Member = 2
	_, err = f.keeper.Place(f.ctx, p)
	require.NoError(t, err, "each member has its own")
	require.Equal(t, []storage.MemberUsage{{Member: 1, Bytes: 8192, Objects: 2}, {Member: 2, Bytes: 4096, Objects: 1}}, f.health().Members)

	params.Quota = 0
	_, err = f.msg.UpdateParams(f.ctx, &storage.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	require.Empty(t, admits(1, tib/2))
	require.Equal(t, storage.ReasonNoRoom, admits(1, tib))
}
