package storage_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/storage"
)

// rawOf is the CID of a test's raw block.
func rawOf(name string) string { return lock.RawCID(sha256.Sum256([]byte(name))).String() }

func TestParams(t *testing.T) {
	require.NoError(t, storage.DefaultParams().Validate())
	rule, err := storage.DefaultParams().Rule("imaging")
	require.NoError(t, err)
	require.Equal(t, storage.CopyRule{Class: "imaging", Minimum: 2, Target: 3}, rule)
	_, err = storage.DefaultParams().Rule("photographs")
	require.ErrorIs(t, err, storage.ErrInvalidPlacement)

	for _, tc := range []struct {
		name   string
		change func(*storage.Params)
		valid  bool
	}{
		{"all domains", func(p *storage.Params) { p.Copies[0].Target = 0 }, true},
		{"most copies", func(p *storage.Params) {
			p.Copies[0].Target, p.Copies[0].Minimum = storage.MaxCopies, storage.MaxCopies
		}, true},
		{"one copy", func(p *storage.Params) { p.Copies[0].Target, p.Copies[0].Minimum = 1, 1 }, true},
		{"no minimum", func(p *storage.Params) { p.Copies[0].Minimum = 0 }, false},
		{"minimum over target", func(p *storage.Params) { p.Copies[0].Minimum = 4 }, false},
		{"minimum over all", func(p *storage.Params) { p.Copies[0].Minimum, p.Copies[0].Target = storage.MaxCopies+1, 0 }, false},
		{"target too high", func(p *storage.Params) { p.Copies[0].Target = storage.MaxCopies + 1 }, false},
		{"class without a rule", func(p *storage.Params) { p.Copies = p.Copies[1:] }, false},
		{"class with two rules", func(p *storage.Params) { p.Copies = append(p.Copies, p.Copies[0]) }, false},
		{"a second between heartbeats", func(p *storage.Params) { p.HeartbeatInterval, p.SuspectAfter, p.LostAfter = 1, 5, 10 }, true},
		{"no time between heartbeats", func(p *storage.Params) { p.HeartbeatInterval = 0 }, false},
		{"over an hour between heartbeats", func(p *storage.Params) { p.HeartbeatInterval, p.SuspectAfter, p.LostAfter = 3601, 7202, 14404 }, false},
		{"suspect after one late heartbeat", func(p *storage.Params) { p.SuspectAfter = 2*p.HeartbeatInterval - 1 }, false},
		{"lost as soon as suspect", func(p *storage.Params) { p.LostAfter = 2*p.SuspectAfter - 1 }, false},
		{"lost after a month", func(p *storage.Params) { p.LostAfter = 30 * 24 * 3600 }, true},
		{"never lost", func(p *storage.Params) { p.LostAfter = 30*24*3600 + 1 }, false},
		{"a negative time", func(p *storage.Params) { p.HeartbeatInterval, p.SuspectAfter, p.LostAfter = -1, -2, -4 }, false},
		{"a quota", func(p *storage.Params) { p.Quota = 1 }, true},
		{"no proofs", func(p *storage.Params) { p.ChallengeInterval = 0 }, true},
		{"proofs once a month", func(p *storage.Params) { p.ChallengeInterval = 30 * 24 * 3600 }, true},
		{"proofs once in a lifetime", func(p *storage.Params) { p.ChallengeInterval = 30*24*3600 + 1 }, false},
		{"proofs as often as heartbeats allow", func(p *storage.Params) { p.ChallengeInterval = 2 * p.HeartbeatInterval }, true},
		{"proofs more often than that", func(p *storage.Params) { p.ChallengeInterval = 2*p.HeartbeatInterval - 1 }, false},
		{"proofs of the past", func(p *storage.Params) { p.ChallengeInterval = -1 }, false},
		{"one leaf", func(p *storage.Params) { p.ChallengeLeaves = 1 }, true},
		{"most leaves", func(p *storage.Params) { p.ChallengeLeaves = storage.MaxChallenges }, true},
		{"no leaves", func(p *storage.Params) { p.ChallengeLeaves = 0 }, false},
		{"too many leaves", func(p *storage.Params) { p.ChallengeLeaves = storage.MaxChallenges + 1 }, false},
		{"unknown class", func(p *storage.Params) {
			p.Copies = append(p.Copies, storage.CopyRule{Class: "photographs", Minimum: 1, Target: 1})
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := storage.DefaultParams()
			tc.change(&p)
			if tc.valid {
				require.NoError(t, p.Validate())
			} else {
				require.ErrorIs(t, p.Validate(), storage.ErrInvalidParams)
			}
		})
	}
}

func TestPlacementValidate(t *testing.T) {
	whole := func() storage.Placement {
		return storage.Placement{CID: rootOf(1).String(), Size: 4096, Attached: []string{rawOf("envelope")}, Class: "imaging", Member: 1}
	}
	require.NoError(t, whole().Validate())
	many := make([]string, storage.MaxAttached+1)
	for i := range many {
		many[i] = rawOf(strings.Repeat("x", i+1))
	}
	for _, tc := range []struct {
		name   string
		change func(*storage.Placement)
		err    error
	}{
		{"a raw block", func(p *storage.Placement) { p.CID = rawOf("vault") }, nil},
		{"nothing attached", func(p *storage.Placement) { p.Attached = nil }, nil},
		{"most attached", func(p *storage.Placement) { p.Attached = many[1:] }, nil},
		{"no cid", func(p *storage.Placement) { p.CID = "" }, storage.ErrInvalidCID},
		{"a cid in capitals", func(p *storage.Placement) { p.CID = strings.ToUpper(p.CID) }, storage.ErrInvalidCID},
		{"beside another object", func(p *storage.Placement) { p.Key = rootOf(2).String() }, nil},
		{"beside something else", func(p *storage.Placement) { p.Key = "x" }, storage.ErrInvalidCID},
		{"beside itself", func(p *storage.Placement) { p.Key = p.CID }, storage.ErrInvalidPlacement},
		{"no size", func(p *storage.Placement) { p.Size = 0 }, storage.ErrInvalidPlacement},
		{"a size out of this world", func(p *storage.Placement) { p.Size = 1<<44 + 1 }, storage.ErrInvalidPlacement},
		{"nobody's", func(p *storage.Placement) { p.Member = 0 }, storage.ErrInvalidPlacement},
		{"too many attached", func(p *storage.Placement) { p.Attached = many }, storage.ErrInvalidPlacement},
		{"attached twice", func(p *storage.Placement) { p.Attached = append(p.Attached, p.Attached[0]) }, storage.ErrInvalidPlacement},
		{"itself attached", func(p *storage.Placement) { p.CID = p.Attached[0] }, storage.ErrInvalidPlacement},
		{"an object attached", func(p *storage.Placement) { p.Attached[0] = rootOf(2).String() }, storage.ErrInvalidCID},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := whole()
			tc.change(&p)
			require.ErrorIs(t, p.Validate(), tc.err)
		})
	}
}

// A member may bring in what its quota leaves, and what some node has room for.
func TestRoom(t *testing.T) {
	nodes := []storage.Candidate{{Node: 1, Capacity: 100, Used: 40}, {Node: 2, Capacity: 50, Used: 60}, {Node: 3}}
	for _, tc := range []struct {
		name                 string
		quota, brought, size uint64
		largest              uint64
		reason               string
	}{
		{"no quota", 0, 1 << 50, 1 << 50, 60, ""},
		{"up to the quota", 1000, 900, 100, 60, ""},
		{"beyond the quota", 1000, 900, 101, 60, storage.ReasonOverQuota},
		{"a quota that was lowered", 1000, 1001, 1, 1, storage.ReasonOverQuota},
		{"as much as a node has room for", 0, 0, 60, 60, ""},
		{"more than any node has room for", 0, 0, 61, 61, storage.ReasonNoRoom},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.reason, storage.NewRoom(tc.quota, tc.brought, nodes).Admits(tc.size, tc.largest))
		})
	}
	require.Equal(t, storage.ReasonNoRoom, storage.NewRoom(0, 0, nil).Admits(1, 1))
}

func TestMessagesOfCopies(t *testing.T) {
	most := make([]string, storage.MaxBatch)
	for i := range most {
		most[i] = rootOf(i).String()
	}
	for _, tc := range []struct {
		name    string
		objects []string
		err     error
	}{
		{"one", most[:1], nil},
		{"most", most, nil},
		{"none", nil, storage.ErrInvalidBatch},
		{"too many", append(most[:storage.MaxBatch:storage.MaxBatch], rawOf("more")), storage.ErrInvalidBatch},
		{"twice", []string{most[0], most[1], most[0]}, storage.ErrInvalidBatch},
		{"no cid", []string{most[0], "x"}, storage.ErrInvalidCID},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.ErrorIs(t, (&storage.MsgConfirmCopies{Objects: tc.objects}).Validate(), tc.err)
			require.ErrorIs(t, (&storage.MsgReportLostCopies{Objects: tc.objects}).Validate(), tc.err)
		})
	}
}

func TestGenesisValidate(t *testing.T) {
	require.NoError(t, storage.DefaultGenesis().Validate())
	whole := func() *storage.GenesisState {
		g := storage.DefaultGenesis()
		for i := range 2 {
			g.Objects = append(g.Objects, storage.PlacedObject{
				Object: storage.Object{
					Cid: rootOf(i).String(), Size_: 4096, Attached: []string{rawOf(rootOf(i).String())}, Target: 3, Minimum: 2, Origin: 1, PlacedAt: 5,
				},
				Copies: []storage.Copy{
					{Node: 1, Status: storage.COPY_STATUS_HELD, Since: 6}, {Node: 3, Status: storage.COPY_STATUS_ASSIGNED, Since: 5},
					{Node: 4, Status: storage.COPY_STATUS_LOST, Since: 7},
				},
			})
		}
		g.Clock = storage.Clock{Running: 50, At: 9}
		g.Pulses = []storage.Pulse{{Node: 1, BeatAt: 8, Running: 50, Since: 1}, {Node: 3, Lost: true, Since: 7}}
		g.Shortfalls = []storage.Shortfall{{Cid: rootOf(0).String(), Standing: storage.STANDING_REPAIRING}}
		g.Sweeps = []storage.Sweep{{List: 2, Node: 3, After: rootOf(1).Bytes()}, {List: 4}}
		g.Epoch = storage.Epoch{Number: 7, Seed: make([]byte, 32)}
		g.Strikes = []storage.Strikes{{Node: 1, Count: 2}, {Node: 3, Count: 1}}
		return g
	}
	require.NoError(t, whole().Validate())
	for _, tc := range []struct {
		name   string
		change func(*storage.GenesisState)
	}{
		{"an object twice", func(g *storage.GenesisState) { g.Objects[1].Object.Cid = g.Objects[0].Object.Cid }},
		{"an attached block twice", func(g *storage.GenesisState) { g.Objects[1].Object.Attached = g.Objects[0].Object.Attached }},
		{"an attached block that is an object", func(g *storage.GenesisState) { g.Objects[0].Object.Cid = g.Objects[1].Object.Attached[0] }},
		{"no cid", func(g *storage.GenesisState) { g.Objects[0].Object.Cid = "x" }},
		{"no size", func(g *storage.GenesisState) { g.Objects[0].Object.Size_ = 0 }},
		{"no origin", func(g *storage.GenesisState) { g.Objects[0].Object.Origin = 0 }},
		{"no minimum", func(g *storage.GenesisState) { g.Objects[0].Object.Minimum = 0 }},
		{"target under minimum", func(g *storage.GenesisState) { g.Objects[0].Object.Target = 1 }},
		{"before time began", func(g *storage.GenesisState) { g.Objects[0].Object.PlacedAt = -1 }},
		{"no copies", func(g *storage.GenesisState) { g.Objects[0].Copies = nil }},
		{"a copy of node 0", func(g *storage.GenesisState) { g.Objects[0].Copies[0].Node = 0 }},
		{"two copies of a node", func(g *storage.GenesisState) { g.Objects[0].Copies[1].Node = 1 }},
		{"copies out of order", func(g *storage.GenesisState) { g.Objects[0].Copies[0].Node = 9 }},
		{"a copy without status", func(g *storage.GenesisState) { g.Objects[0].Copies[0].Status = 0 }},
		{"an unknown status", func(g *storage.GenesisState) { g.Objects[0].Copies[0].Status = 9 }},
		{"a clock that runs backwards", func(g *storage.GenesisState) { g.Clock.Running = -1 }},
		{"a pulse of node 0", func(g *storage.GenesisState) { g.Pulses[0].Node = 0 }},
		{"two pulses of a node", func(g *storage.GenesisState) { g.Pulses[1].Node = 1 }},
		{"a pulse ahead of the clock", func(g *storage.GenesisState) { g.Pulses[0].Running = 51 }},
		{"a pulse from before time began", func(g *storage.GenesisState) { g.Pulses[0].BeatAt = -1 }},
		{"a shortfall of an unknown object", func(g *storage.GenesisState) { g.Shortfalls[0].Cid = rootOf(9).String() }},
		{"a shortfall twice", func(g *storage.GenesisState) { g.Shortfalls = append(g.Shortfalls, g.Shortfalls[0]) }},
		{"a shortfall of a whole object", func(g *storage.GenesisState) { g.Shortfalls[0].Standing = storage.STANDING_WHOLE }},
		{"a sweep of no list", func(g *storage.GenesisState) { g.Sweeps[0].List = 5 }},
		{"a sweep from nowhere", func(g *storage.GenesisState) { g.Sweeps[0].After = []byte("x") }},
		{"an epoch without a seed", func(g *storage.GenesisState) { g.Epoch.Seed = nil }},
		{"half a seed", func(g *storage.GenesisState) { g.Epoch.Seed = g.Epoch.Seed[:16] }},
		{"an epoch that goes on", func(g *storage.GenesisState) { g.Epoch.Step = storage.EPOCH_STEP_OPEN }},
		{"reveals of an epoch", func(g *storage.GenesisState) { g.Epoch.Mix = make([]byte, 32) }},
		{"strikes against node 0", func(g *storage.GenesisState) { g.Strikes[0].Node = 0 }},
		{"strikes against a node twice", func(g *storage.GenesisState) { g.Strikes[1].Node = 1 }},
		{"no strikes", func(g *storage.GenesisState) { g.Strikes[0].Count = 0 }},
		{"a copy from before time began", func(g *storage.GenesisState) { g.Objects[0].Copies[0].Since = -1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := whole()
			tc.change(g)
			require.ErrorIs(t, g.Validate(), storage.ErrInvalidGenesis)
		})
	}
	g := whole()
	g.Params = storage.Params{}
	require.ErrorIs(t, g.Validate(), storage.ErrInvalidParams)
}

// The clock goes with the heartbeats of all, and stops without them.
func TestClock(t *testing.T) {
	c := storage.Clock{Running: 100, At: 1000}
	for at, want := range map[int64]int64{900: 100, 1000: 100, 1300: 400, 1600: 700, 1601: 700, 1_000_000: 700} {
		require.Equal(t, want, c.Now(at, 300), "%d", at)
	}
}

func TestPulseStatus(t *testing.T) {
	params := storage.DefaultParams()
	for _, tc := range []struct {
		name    string
		pulse   storage.Pulse
		want    storage.NodeStatus
		silence int64
	}{
		{"just heard", storage.Pulse{BeatAt: 5, Running: 10_000}, storage.NODE_STATUS_ALIVE, 0},
		{"at the limit", storage.Pulse{BeatAt: 5, Running: 10_000 - 900}, storage.NODE_STATUS_ALIVE, 900},
		{"over the limit", storage.Pulse{BeatAt: 5, Running: 10_000 - 901}, storage.NODE_STATUS_SUSPECT, 901},
		{"silent for long, not yet found lost", storage.Pulse{BeatAt: 5, Running: 0}, storage.NODE_STATUS_SUSPECT, 10_000},
		{"lost", storage.Pulse{BeatAt: 5, Running: 10_000, Lost: true}, storage.NODE_STATUS_LOST, 0},
		{"drained", storage.Pulse{BeatAt: 5, Running: 10_000, Draining: true}, storage.NODE_STATUS_DRAINING, 0},
		{"lost while drained", storage.Pulse{BeatAt: 5, Running: 10_000, Draining: true, Lost: true}, storage.NODE_STATUS_LOST, 0},
		{"never heard of", storage.Pulse{}, storage.NODE_STATUS_NEW, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, tc.pulse.Status(10_000, params))
			require.Equal(t, tc.silence, tc.pulse.Silence(10_000))
			takes := tc.want == storage.NODE_STATUS_ALIVE || tc.want == storage.NODE_STATUS_SUSPECT
			require.Equal(t, takes, tc.pulse.TakesCopies())
		})
	}
}

// Room is what the capacity and the disk leave, whichever is less.
func TestPulseRoom(t *testing.T) {
	for _, tc := range []struct {
		capacity, free, used, pending, want uint64
	}{
		{100, 1000, 0, 0, 100},
		{100, 1000, 60, 0, 40},
		{100, 50, 0, 0, 50},
		{100, 50, 60, 30, 20},
		{100, 20, 60, 30, 0},
		{100, 1000, 101, 0, 0},
	} {
		got := storage.Pulse{Free: tc.free}.Room(tc.capacity, storage.NodeUsage{Bytes: tc.used, PendingBytes: tc.pending})
		require.Equal(t, tc.want, got, "%+v", tc)
	}
}

func TestStanding(t *testing.T) {
	const assigned, held, lost = storage.COPY_STATUS_ASSIGNED, storage.COPY_STATUS_HELD, storage.COPY_STATUS_LOST
	at := func(member uint64, status storage.CopyStatus) storage.Placed {
		return storage.Placed{Copy: storage.Copy{Node: member, Status: status}, Domain: storage.Domain{Member: member, Site: 1}}
	}
	gone := func(p storage.Placed) storage.Placed { p.Lost = true; return p }
	draining := func(p storage.Placed) storage.Placed { p.Draining = true; return p }
	twin := at(1, held)
	twin.Node = 9
	o := storage.Object{Target: 3, Minimum: 2}
	for _, tc := range []struct {
		name    string
		copies  []storage.Placed
		placing bool
		want    storage.Standing
		// superfluous are the nodes that need not hold it.
		superfluous []uint64
	}{
		{"new", []storage.Placed{at(1, assigned), at(2, assigned), at(3, assigned)}, true, storage.STANDING_PLACING, nil},
		{"two of three", []storage.Placed{at(1, held), at(2, held), at(3, assigned)}, true, storage.STANDING_PLACING, nil},
		{"new on too few domains", []storage.Placed{at(1, held), at(2, held)}, true, storage.STANDING_REPAIRING, nil},
		{"whole", []storage.Placed{at(1, held), at(2, held), at(3, held)}, true, storage.STANDING_WHOLE, nil},
		{"a copy lost", []storage.Placed{at(1, held), at(2, held), at(3, lost)}, false, storage.STANDING_REPAIRING, nil},
		{"a new one's copy lost", []storage.Placed{at(1, held), at(2, lost), at(3, assigned)}, true, storage.STANDING_ENDANGERED, nil},
		{"two lost", []storage.Placed{at(1, held), at(2, lost), at(3, lost)}, false, storage.STANDING_ENDANGERED, nil},
		{"all lost", []storage.Placed{at(1, lost), at(2, lost), at(3, lost)}, false, storage.STANDING_UNRECOVERABLE, nil},
		{"held by a lost node alone", []storage.Placed{gone(at(1, held)), at(2, assigned)}, false, storage.STANDING_UNRECOVERABLE, nil},
		{"held by a draining node alone", []storage.Placed{draining(at(1, held)), at(2, lost)}, false, storage.STANDING_ENDANGERED, nil},
		{"a draining one does not count", []storage.Placed{at(1, held), at(2, held), draining(at(3, held))}, false, storage.STANDING_REPAIRING, nil},
		{"two nodes of a domain count once", []storage.Placed{at(1, held), at(2, held), twin}, false, storage.STANDING_REPAIRING, nil},
		{
			"whole without the lost and the drained",
			[]storage.Placed{at(1, held), at(2, held), at(3, held), gone(at(4, lost)), draining(at(5, held)), at(6, assigned)},
			false, storage.STANDING_WHOLE, []uint64{4, 5, 6},
		},
		{"held beyond the target", []storage.Placed{at(1, held), at(2, held), at(3, held), at(4, held)}, false, storage.STANDING_WHOLE, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, o.Standing(tc.copies, tc.placing))
			var superfluous []uint64
			for _, c := range tc.copies {
				if o.Superfluous(tc.copies)(c) {
					superfluous = append(superfluous, c.Node)
				}
			}
			require.Equal(t, tc.superfluous, superfluous)
		})
	}
}

func TestLeaves(t *testing.T) {
	for _, tc := range []struct {
		cid  string
		size uint64
		want uint64
	}{
		{rootOf(1).String(), 1, 1},
		{rootOf(1).String(), 1 << 20, 1},
		{rootOf(1).String(), 1<<20 + 1, 2},
		{rootOf(1).String(), 1 << 44, 1 << 24},
		{rawOf("vault"), 1 << 20, 1},
		{rawOf("vault"), 5 << 20, 1},
	} {
		require.Equal(t, tc.want, storage.Object{Cid: tc.cid, Size_: tc.size}.Leaves(), "%+v", tc)
	}
}

func TestDistance(t *testing.T) {
	at := func(first, last byte) (d [32]byte) {
		d[0], d[31] = first, last
		return d
	}
	far := [32]byte{}
	for i := range far {
		far[i] = 0xff
	}
	for _, tc := range []struct{ from, to, want [32]byte }{
		{at(0, 0), at(0, 0), at(0, 0)},
		{at(0, 1), at(0, 3), at(0, 2)},
		{at(5, 0), at(7, 1), at(2, 1)},
		{at(0, 1), at(0, 0), far},
		{far, at(0, 0), at(0, 1)},
		{at(0xf0, 0), at(0x10, 0), at(0x20, 0)},
	} {
		require.Equal(t, tc.want, storage.Distance(tc.from, tc.to), "%+v", tc)
	}
}

func TestMessagesOfDisputes(t *testing.T) {
	most := make([]storage.Dispute, storage.MaxBatch)
	for i := range most {
		most[i] = storage.Dispute{Epoch: 1, Accused: 2, Index: uint32(i)}
	}
	for _, tc := range []struct {
		name     string
		disputes []storage.Dispute
		err      error
	}{
		{"one", most[:1], nil},
		{"most", most, nil},
		{"none", nil, storage.ErrInvalidBatch},
		{"too many", append(most[:storage.MaxBatch:storage.MaxBatch], storage.Dispute{}), storage.ErrInvalidBatch},
		{"twice", []storage.Dispute{most[0], most[1], most[0]}, storage.ErrInvalidBatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.ErrorIs(t, (&storage.MsgDisputeProofs{Disputes: tc.disputes}).Validate(), tc.err)
		})
	}
}

// Copies stand by node, each node has one, and dropping one leaves the others alone.
func TestCopiesOfAnObject(t *testing.T) {
	var p storage.PlacedObject
	for _, node := range []uint64{5, 2, 9} {
		p.SetCopy(storage.Copy{Node: node, Status: storage.COPY_STATUS_ASSIGNED, Since: 1})
	}
	p.SetCopy(storage.Copy{Node: 5, Status: storage.COPY_STATUS_HELD, Since: 2})
	require.Equal(t, []storage.Copy{
		{Node: 2, Status: storage.COPY_STATUS_ASSIGNED, Since: 1}, {Node: 5, Status: storage.COPY_STATUS_HELD, Since: 2},
		{Node: 9, Status: storage.COPY_STATUS_ASSIGNED, Since: 1},
	}, p.Copies)
	p.DropCopy(2)
	p.DropCopy(7)
	require.Equal(t, []storage.Copy{{Node: 5, Status: storage.COPY_STATUS_HELD, Since: 2}, {Node: 9, Status: storage.COPY_STATUS_ASSIGNED, Since: 1}}, p.Copies)
}
