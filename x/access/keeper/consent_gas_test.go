package keeper_test

import (
	"crypto/sha256"
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/access/keeper"
	"github.com/phrd/phrd/x/consortium"
	consortiumkeeper "github.com/phrd/phrd/x/consortium/keeper"
	"github.com/phrd/phrd/x/records"
)

// What a clerk's program asks for, beside those for the transaction's bytes: the base, a version, each vault that it is sealed to, and
// once for a patient who consented.
const (
	gasOfAStore    = 1_000_000 + 150_000
	gasOfAGrantee  = 20_000
	gasOfAPatient  = 800_000
	gasBeforeStore = 400_000 // signature and bytes
)

// grantee is a clinician with a vault to whom the patient consented, and the vault's key.
func (c *chain) grantee(class records.Class) []byte {
	c.t.Helper()
	doctor, key := c.staff(er, consortium.ROLE_CLINICIAN), c.vault()
	msg := &consortium.MsgPublishStaffVault{Staff: doctor, Epoch: 1}
	for rest := key; len(rest) > 0; rest = rest[64:] {
		msg.VaultKey = append(msg.VaultKey, rest[:64])
	}
	_, err := consortiumkeeper.NewMsgServer(c.consortium).PublishStaffVault(c.ctx, msg)
	require.NoError(c.t, err)
	member, err := c.consortium.Member(c.ctx, er)
	require.NoError(c.t, err)
	res, err := keeper.NewMsgServer(c.access).GrantConsent(c.ctx, &access.MsgGrantConsent{
		Owner: c.wallet, Hospital: member.Name, Member: er, To: doctor, What: []string{class.Text()}, Purpose: "TREAT",
		Until: c.ctx.BlockTime().Add(24 * time.Hour).UTC().Format(time.RFC3339), UsesADay: 1,
	})
	require.NoError(c.t, err)
	require.Empty(c.t, res.Reason)
	return key
}

// sealedTo is a new version that is sealed to vaults beside the patient's.
func (c *chain) sealedTo(keys ...[]byte) records.NewVersion {
	c.t.Helper()
	n, _ := c.newVersion(c.alice)
	for _, key := range keys {
		hash := sha256.Sum256(key)
		n.OwnKeys = append(n.OwnKeys, hash[:])
	}
	e, err := lock.NewEncapsulation(lock.Generation{Network: c.network, Kind: lock.KeyRecords, Number: 1, X: c.dealt.X}, c.random)
	require.NoError(c.t, err)
	n.Header.U, n.UBar = e.U.Bytes(), e.UBar.Bytes()
	signer, err := sdk.AccAddressFromBech32(c.clerk)
	require.NoError(c.t, err)
	locked, err := n.Encapsulation(c.network, c.dealt.X.Bytes(), signer)
	require.NoError(c.t, err)
	label, err := locked.Label()
	require.NoError(c.t, err)
	n.Proof, err = e.Prove(label, c.random)
	require.NoError(c.t, err)
	return n
}

// As many consents as a patient can have, of which one or all cover a version, cost no more than a clerk's program asks for.
func TestStoryGasOfTheMostConsents(t *testing.T) {
	c := newChain(t)
	all := [][]byte{c.grantee(records.CLASS_IMAGING)}
	for range access.MaxConsents - 1 {
		all = append(all, c.grantee(records.CLASS_RESULT))
	}
	cost := func(n records.NewVersion) uint64 {
		before := c.ctx.GasMeter().GasConsumed()
		c.storeAll(n)
		return c.ctx.GasMeter().GasConsumed() - before
	}
	one := cost(c.sealedTo(all[0]))
	n := c.sealedTo(all[1:]...)
	none := cost(c.sealedTo())
	t.Logf("sealed to nobody besides: %d gas; to one of %d: %d", none, access.MaxConsents, one)
	require.LessOrEqual(t, one+gasBeforeStore, uint64(gasOfAStore+gasOfAGrantee+gasOfAPatient))
	n.Class = records.CLASS_RESULT
	many := cost(n)
	t.Logf("to %d: %d", access.MaxConsents-1, many)
	require.LessOrEqual(t, many+gasBeforeStore, uint64(gasOfAStore+(access.MaxConsents-1)*gasOfAGrantee+gasOfAPatient))
}
