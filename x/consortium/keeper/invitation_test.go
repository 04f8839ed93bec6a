package keeper_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

func TestCreateInvitation(t *testing.T) {
	f := newFixture(t, 2)
	clerk, clinician := f.staff(1, consortium.ROLE_CLERK), f.staff(1, consortium.ROLE_CLINICIAN)
	lifetime := int64(consortium.DefaultParams().InvitationLifetime)
	valid := func() *consortium.MsgCreateInvitation {
		return &consortium.MsgCreateInvitation{Inviter: clerk, Key: f.bytes(32), Role: consortium.ROLE_PATIENT, ExpiresAt: start + lifetime}
	}
	msg := valid()
	_, err := f.msg.CreateInvitation(f.ctx, msg)
	require.NoError(t, err)
	key := hex.EncodeToString(msg.Key)
	require.Equal(t, audit.Entry{
		Kind: audit.KindInvitationCreated, Actor: clerk, Role: "clerk", Hospital: 1, Target: key, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	res, err := f.query.Invitation(f.ctx, &consortium.QueryInvitationRequest{Key: key})
	require.NoError(t, err)
	require.Equal(t, consortium.Invitation{Key: msg.Key, Hospital: 1, Role: consortium.ROLE_PATIENT, ExpiresAt: start + lifetime}, res.Invitation)
	f.invite(2)

	for _, c := range []struct {
		name   string
		change func(*consortium.MsgCreateInvitation)
		err    error
	}{
		{"a stranger", func(m *consortium.MsgCreateInvitation) { m.Inviter = stranger }, consortium.ErrUnknownAccount},
		{"a clinician", func(m *consortium.MsgCreateInvitation) { m.Inviter = clinician }, consortium.ErrUnauthorized},
		{"a node", func(m *consortium.MsgCreateInvitation) { m.Inviter = f.nodes[0] }, consortium.ErrUnauthorized},
		{"a short key", func(m *consortium.MsgCreateInvitation) { m.Key = m.Key[:31] }, consortium.ErrInvalidInvitation},
		{"a key that was used", func(m *consortium.MsgCreateInvitation) { m.Key = msg.Key }, consortium.ErrKnownKey},
		{"an admin's role", func(m *consortium.MsgCreateInvitation) { m.Role = consortium.ROLE_ADMIN }, consortium.ErrInvalidRole},
		{"no role", func(m *consortium.MsgCreateInvitation) { m.Role = 0 }, consortium.ErrInvalidRole},
		{"never good", func(m *consortium.MsgCreateInvitation) { m.ExpiresAt = start }, consortium.ErrInvalidInvitation},
		{"good for too long", func(m *consortium.MsgCreateInvitation) { m.ExpiresAt++ }, consortium.ErrInvalidInvitation},
		{"good since ever", func(m *consortium.MsgCreateInvitation) { m.ExpiresAt = -1 }, consortium.ErrInvalidInvitation},
		{"good for ever", func(m *consortium.MsgCreateInvitation) { m.ExpiresAt = 1<<63 - 1 }, consortium.ErrInvalidInvitation},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, entries := valid(), len(f.log.entries)
			c.change(m)
			_, err := f.msg.CreateInvitation(f.ctx, m)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
}

func TestRevokeInvitation(t *testing.T) {
	f := newFixture(t, 2)
	clerk, officer := f.staff(1, consortium.ROLE_CLERK), f.staff(1, consortium.ROLE_OFFICER)
	seed, used := f.invite(1), f.invite(1)
	_, err := f.msg.OpenAccount(f.ctx, f.opening(used, f.address()))
	require.NoError(t, err)
	revoke := func(inviter string, key []byte) error {
		_, err := f.msg.RevokeInvitation(f.ctx, &consortium.MsgRevokeInvitation{Inviter: inviter, Key: key})
		return err
	}
	entries := len(f.log.entries)
	require.ErrorIs(t, revoke(stranger, public(seed)), consortium.ErrUnknownAccount)
	require.ErrorIs(t, revoke(officer, public(seed)), consortium.ErrUnauthorized)
	require.ErrorIs(t, revoke(f.admins[1], public(seed)), consortium.ErrUnauthorized)
	require.ErrorIs(t, revoke(clerk, f.bytes(32)), consortium.ErrUnknownInvitation)
	require.ErrorIs(t, revoke(clerk, nil), consortium.ErrUnknownInvitation)
	require.ErrorIs(t, revoke(clerk, public(used)), consortium.ErrWrongStatus)
	require.Len(t, f.log.entries, entries)

	require.NoError(t, revoke(clerk, public(seed)))
	require.Equal(t, audit.Entry{
		Kind: audit.KindInvitationRevoked, Actor: clerk, Role: "clerk", Hospital: 1, Target: hex.EncodeToString(public(seed)), Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.ErrorIs(t, revoke(clerk, public(seed)), consortium.ErrWrongStatus)
}

func TestOpenAccount(t *testing.T) {
	f := newFixture(t, 2)
	seed, address := f.invite(1), f.address()
	msg := f.opening(seed, address)
	msg.Node = f.nodes[1] // any member's
	res, err := f.msg.OpenAccount(f.ctx, msg)
	require.NoError(t, err)
	require.Equal(t, &consortium.MsgOpenAccountResponse{Outcome: audit.OUTCOME_OK}, res)
	require.Equal(t, audit.Entry{
		Kind: audit.KindAccountOpened, Actor: f.nodes[1], Role: "node", Hospital: 2, Target: address, Outcome: audit.OUTCOME_OK,
	}, f.log.last())
	require.Equal(t, consortium.Principal{Address: address, Role: consortium.ROLE_PATIENT, Active: true}, f.principal(address))
	require.Contains(t, f.accounts.known, address)
	i, err := f.keeper.Invitation(f.ctx, public(seed))
	require.NoError(t, err)
	require.Equal(t, address, i.Address)
}

func TestOpenAccountRefuses(t *testing.T) {
	f := newFixture(t, 3)
	clerk, storage := f.staff(1, consortium.ROLE_CLERK), f.storageNode(1)
	used, revoked, suspended := f.invite(1), f.invite(1), f.invite(2)
	_, err := f.msg.OpenAccount(f.ctx, f.opening(used, f.address()))
	require.NoError(t, err)
	_, err = f.msg.RevokeInvitation(f.ctx, &consortium.MsgRevokeInvitation{Inviter: f.admins[0], Key: public(revoked)})
	require.NoError(t, err)
	expired := f.invite(1)
	f.pass(600)
	f.suspend(2)
	seed := f.invite(1)
	other := lock.Network{9}

	for _, c := range []struct {
		name   string
		msg    func() *consortium.MsgOpenAccount
		reason string
	}{
		{"handed in by a clerk", func() *consortium.MsgOpenAccount {
			m := f.opening(seed, f.address())
			m.Node = clerk
			return m
		}, consortium.ReasonWrongRole},
		{"handed in by a storage node", func() *consortium.MsgOpenAccount {
			m := f.opening(seed, f.address())
			m.Node = storage.Account
			return m
		}, consortium.ReasonWrongRole},
		{"handed in by a suspended member's node", func() *consortium.MsgOpenAccount {
			m := f.opening(seed, f.address())
			m.Node = f.nodes[1]
			return m
		}, consortium.ReasonInactive},
		{"no such invitation", func() *consortium.MsgOpenAccount {
			return f.opening(ed25519.NewKeyFromSeed(f.bytes(32)), f.address())
		}, consortium.ReasonUnknownInvitation},
		{"used", func() *consortium.MsgOpenAccount { return f.opening(used, f.address()) }, consortium.ReasonInvitationUsed},
		{"revoked", func() *consortium.MsgOpenAccount { return f.opening(revoked, f.address()) }, consortium.ReasonInvitationRevoked},
		{"expired at this second", func() *consortium.MsgOpenAccount { return f.opening(expired, f.address()) }, consortium.ReasonInvitationExpired},
		{"invited by a suspended member", func() *consortium.MsgOpenAccount {
			i, err := f.keeper.Invitation(f.ctx, public(suspended))
			require.NoError(t, err)
			require.Equal(t, f.now(), i.ExpiresAt)
			f.pass(-1) // a second before it expires
			return f.opening(suspended, f.address())
		}, consortium.ReasonInviterInactive},
		{"signed for another address", func() *consortium.MsgOpenAccount {
			m := f.opening(seed, f.address())
			m.Address = f.address()
			return m
		}, consortium.ReasonBadSignature},
		{"signed by another key", func() *consortium.MsgOpenAccount {
			m := f.opening(used, f.address())
			m.Invitation = public(seed)
			return m
		}, consortium.ReasonBadSignature},
		{"signed in another network", func() *consortium.MsgOpenAccount {
			was := f.network
			defer func() { f.network = was }()
			f.network = other
			return f.opening(seed, f.address())
		}, consortium.ReasonBadSignature},
		{"an account that has a role", func() *consortium.MsgOpenAccount { return f.opening(seed, clerk) }, consortium.ReasonKnownAccount},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, accounts := c.msg(), len(f.accounts.known)
			res, err := f.msg.OpenAccount(f.ctx, msg)
			require.NoError(t, err)
			require.Equal(t, &consortium.MsgOpenAccountResponse{Outcome: audit.OUTCOME_REFUSED, Reason: c.reason}, res)
			signer := f.principal(msg.Node)
			require.Equal(t, audit.Entry{
				Kind: audit.KindAccountOpened, Actor: msg.Node, Role: signer.Role.Text(), Hospital: 1 + boolean(msg.Node == f.nodes[1]),
				Target: msg.Address, Outcome: audit.OUTCOME_REFUSED, Reason: c.reason,
			}, f.log.last())
			require.Len(t, f.accounts.known, accounts)
		})
	}
	for _, c := range []struct {
		name   string
		change func(*consortium.MsgOpenAccount)
		err    error
	}{
		{"a stranger", func(m *consortium.MsgOpenAccount) { m.Node = stranger }, consortium.ErrUnknownAccount},
		{"no address", func(m *consortium.MsgOpenAccount) { m.Address = "" }, consortium.ErrInvalidAddress},
		{"the consortium's account", func(m *consortium.MsgOpenAccount) { m.Address = f.keeper.Authority() }, consortium.ErrInvalidAddress},
		{"no invitation", func(m *consortium.MsgOpenAccount) { m.Invitation = nil }, consortium.ErrInvalidInvitation},
		{"no signature", func(m *consortium.MsgOpenAccount) { m.Signature = nil }, consortium.ErrInvalidInvitation},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, entries := f.opening(seed, f.address()), len(f.log.entries)
			c.change(msg)
			_, err := f.msg.OpenAccount(f.ctx, msg)
			require.ErrorIs(t, err, c.err)
			require.Len(t, f.log.entries, entries)
		})
	}
	res, err := f.msg.OpenAccount(f.ctx, f.opening(seed, f.address()))
	require.NoError(t, err)
	require.Equal(t, audit.OUTCOME_OK, res.Outcome, "refusals leave the invitation as it was")
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
