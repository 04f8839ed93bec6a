package keeper_test

import (
	"bytes"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/records"
)

// request is what the requester's program sends to open the versions for a day.
func (f *fixture) request(requester string, versions ...records.Version) *access.MsgProposeUnlock {
	f.t.Helper()
	return f.requestUntil(f.ctx.BlockTime().Unix()+day, requester, versions...)
}

// requestUntil is request with an expiry.
func (f *fixture) requestUntil(expiry int64, requester string, versions ...records.Version) *access.MsgProposeUnlock {
	f.t.Helper()
	return f.requestFor("TREAT", expiry, requester, f.lockOf, versions...)
}

// lockOf is what a proposal covers of a version's lock.
func (f *fixture) lockOf(v records.Version) access.Lock {
	lockContext, _, err := f.data.LockContext(f.ctx, v)
	require.NoError(f.t, err)
	return access.Lock{Context: lockContext, U: v.Header.U, C: v.Header.C}
}

// requestFor is a request for a purpose over one lock of each version.
func (f *fixture) requestFor(
	purpose string, expiry int64, requester string, lockOf func(records.Version) access.Lock, versions ...records.Version,
) *access.MsgProposeUnlock {
	f.t.Helper()
	versions = slices.Clone(versions)
	slices.SortFunc(versions, func(a, b records.Version) int {
		if order := bytes.Compare(f.recordID(a), f.recordID(b)); order != 0 {
			return order
		}
		return int(a.Version) - int(b.Version)
	})
	session, err := lock.GenerateSession(f.random)
	require.NoError(f.t, err)
	account, err := sdk.AccAddressFromBech32(requester)
	require.NoError(f.t, err)
	msg := &access.MsgProposeUnlock{
		Requester: requester, Purpose: purpose, ExpiresAt: expiry, RequestKey: session.Key().Public().CID().String(), B: session.B().Bytes(),
	}
	p := lock.Proposal{
		Network: network, Requester: [20]byte(account), Hospital: f.people.principals[requester].Hospital, Purpose: msg.Purpose,
		Expiry: uint64(expiry), RequestKeyCID: session.Key().Public().CID(), B: session.B(),
	}
	for _, v := range versions {
		locked := lockOf(v)
		u, err := lock.ParseEncapsulation(locked.U)
		require.NoError(f.t, err)
		m := session.Blind(u)
		p.Versions = append(p.Versions, lock.ProposedVersion{
			Record: lock.ID(f.recordID(v)), Number: v.Version, Context: locked.Context, U: u, M: m, C: locked.C,
		})
		msg.Records, msg.Versions, msg.M = append(msg.Records, v.Record), append(msg.Versions, v.Version), append(msg.M, m.Bytes())
	}
	msg.Proof, err = session.Prove(p, f.random)
	require.NoError(f.t, err)
	return msg
}

func (f *fixture) recordID(v records.Version) []byte {
	f.t.Helper()
	id, err := lock.ParseCanonicalID(v.Record)
	require.NoError(f.t, err)
	return id.Bytes()
}
