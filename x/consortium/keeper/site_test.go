package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// addSite adds a site to a member.
func (f *fixture) addSite(member int, name string) uint64 {
	f.t.Helper()
	res, err := f.msg.AddSite(f.ctx, &consortium.MsgAddSite{Admin: f.admins[member-1], Name: name, TimeZone: "UTC"})
	require.NoError(f.t, err)
	return res.Number
}

// sites are the sites of a member.
func (f *fixture) sites(member uint64) []consortium.Site {
	f.t.Helper()
	res, err := f.query.Sites(f.ctx, &consortium.QuerySitesRequest{Member: member})
	require.NoError(f.t, err)
	return res.Sites
}

func TestUpdateSite(t *testing.T) {
	f := newFixture(t, 2)
	annex := f.addSite(2, "Annex")
	_, err := f.msg.UpdateSite(f.ctx, &consortium.MsgUpdateSite{Admin: f.admins[1], Number: annex, Name: "North wing", TimeZone: "Europe/London"})
	require.NoError(t, err)
	require.Equal(t, audit.Entry{
		Kind: audit.KindSiteUpdated, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "2", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	want := []consortium.Site{f.genesis.Sites[1], {Member: 2, Number: annex, Name: "North wing", TimeZone: "Europe/London"}}
	require.Equal(t, want, f.sites(2))
	_, err = f.msg.UpdateSite(f.ctx, &consortium.MsgUpdateSite{Admin: f.admins[1], Number: annex, Name: "NORTH WING"})
	require.NoError(t, err, "its own name is not taken, and what is empty stays")
	want[1].Name = "NORTH WING"
	require.Equal(t, want, f.sites(2))

	for _, c := range []struct {
		name string
		msg  consortium.MsgUpdateSite
		err  error
	}{
		{"a stranger", consortium.MsgUpdateSite{Admin: stranger, Number: 1, Name: "B"}, consortium.ErrUnknownAccount},
		{"a node", consortium.MsgUpdateSite{Admin: f.nodes[1], Number: 1, Name: "B"}, consortium.ErrUnauthorized},
		{"another hospital, which has no such site", consortium.MsgUpdateSite{Admin: f.admins[0], Number: annex, Name: "B"}, consortium.ErrUnknownSite},
		{"no site", consortium.MsgUpdateSite{Admin: f.admins[1], Number: 3, Name: "B"}, consortium.ErrUnknownSite},
		{"nothing", consortium.MsgUpdateSite{Admin: f.admins[1], Number: annex}, consortium.ErrInvalidName},
		{"no name", consortium.MsgUpdateSite{Admin: f.admins[1], Number: annex, Name: " "}, consortium.ErrInvalidName},
		{"no zone", consortium.MsgUpdateSite{Admin: f.admins[1], Number: annex, TimeZone: "vienna"}, consortium.ErrInvalidZone},
		{"a name that is taken", consortium.MsgUpdateSite{Admin: f.admins[1], Number: annex, Name: "MAIN"}, consortium.ErrKnownName},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := len(f.log.entries)
			_, err := f.msg.UpdateSite(f.ctx, &c.msg)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, want, f.sites(2))
			require.Len(t, f.log.entries, entries)
		})
	}
}

// A site goes when no storage node that takes copies stands there, and its number never comes back: it keeps copies apart.
func TestRemoveSite(t *testing.T) {
	f := newFixture(t, 2)
	annex := f.addSite(2, "Annex")
	msg := f.registerAt(f.machine(), 2, annex)
	res, err := f.msg.RegisterStorageNode(f.ctx, msg)
	require.NoError(t, err)
	remove := func(admin string, number uint64) error {
		_, err := f.msg.RemoveSite(f.ctx, &consortium.MsgRemoveSite{Admin: admin, Number: number})
		return err
	}
	entries := len(f.log.entries)
	require.ErrorIs(t, remove(f.admins[1], annex), consortium.ErrSiteInUse)
	require.ErrorIs(t, remove(f.admins[1], 1), consortium.ErrSiteInUse, "the hospital's own server stands there")
	require.ErrorIs(t, remove(f.admins[0], annex), consortium.ErrUnknownSite)
	require.ErrorIs(t, remove(f.nodes[1], annex), consortium.ErrUnauthorized)
	require.Len(t, f.log.entries, entries)

	_, err = f.msg.RetireStorageNode(f.ctx, &consortium.MsgRetireStorageNode{Admin: f.admins[1], Number: res.Number})
	require.NoError(t, err)
	require.NoError(t, remove(f.admins[1], annex))
	require.Equal(t, audit.Entry{
		Kind: audit.KindSiteRemoved, Actor: f.admins[1], Role: "admin", Hospital: 2, Target: "2", Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.True(t, f.sites(2)[1].Removed)
	require.ErrorIs(t, remove(f.admins[1], annex), consortium.ErrUnknownSite)
	_, err = f.msg.UpdateSite(f.ctx, &consortium.MsgUpdateSite{Admin: f.admins[1], Number: annex, Name: "B"})
	require.ErrorIs(t, err, consortium.ErrUnknownSite)
	_, err = f.msg.RegisterStorageNode(f.ctx, f.registerAt(f.machine(), 2, annex))
	require.ErrorIs(t, err, consortium.ErrUnknownSite)

	require.EqualValues(t, 3, f.addSite(2, "Annex"), "the name is free, the number is not")
	_, err = f.msg.RegisterStorageNode(f.ctx, f.registerAt(f.machine(), 2, 3))
	require.NoError(t, err)
}
