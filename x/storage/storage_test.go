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
