package ante_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"google.golang.org/protobuf/proto"

	"github.com/phrd/phrd/app/ante"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// transaction is one that a test makes up.
type transaction struct {
	msgs    []sdk.Msg
	signers [][]byte
	fee     sdk.Coins
	payer   []byte
	granter []byte
	gas     uint64
	memo    string
}

func (t transaction) GetMsgs() []sdk.Msg                              { return t.msgs }
func (t transaction) GetMsgsV2() ([]proto.Message, error)             { return nil, errors.New("not asked for") }
func (t transaction) GetSigners() ([][]byte, error)                   { return t.signers, nil }
func (t transaction) GetPubKeys() ([]cryptotypes.PubKey, error)       { return nil, nil }
func (t transaction) GetSignaturesV2() ([]signing.SignatureV2, error) { return nil, nil }
func (t transaction) GetFee() sdk.Coins                               { return t.fee }
func (t transaction) GetGas() uint64                                  { return t.gas }
func (t transaction) FeeGranter() []byte                              { return t.granter }
func (t transaction) GetMemo() string                                 { return t.memo }
func (t transaction) FeePayer() []byte {
	if t.payer != nil {
		return t.payer
	}
	return t.signers[0]
}

// people is a consortium that a test makes up.
type people struct {
	principals map[string]consortium.Principal
	tokens     uint64
	spent      uint64
}

func (p *people) Principal(_ context.Context, address string) (consortium.Principal, error) {
	who, ok := p.principals[address]
	if !ok {
		return consortium.Principal{}, consortium.ErrUnknownAccount
	}
	return who, nil
}

func (p *people) Spend(_ context.Context, _, _ string, n uint64) error {
	if p.spent+n > p.tokens {
		return consortium.ErrRateLimited
	}
	p.spent += n
	return nil
}

func address(b byte) []byte { return bytes.Repeat([]byte{b}, 20) }

func text(raw []byte) string { return sdk.AccAddress(raw).String() }

// pass runs one check and tells whether the next one was reached.
func pass(t *testing.T, check sdk.AnteDecorator, tx sdk.Tx, size int, simulate bool) (reached bool, err error) {
	t.Helper()
	ctx := sdk.Context{}.WithContext(t.Context()).WithTxBytes(make([]byte, size))
	_, err = check.AnteHandle(ctx, tx, simulate, func(ctx sdk.Context, _ sdk.Tx, _ bool) (sdk.Context, error) {
		reached = true
		return ctx, nil
	})
	return reached, err
}

func TestLimits(t *testing.T) {
	vote := func(n int) []sdk.Msg {
		msgs := make([]sdk.Msg, n)
		for i := range msgs {
			msgs[i] = &consortium.MsgVote{}
		}
		return msgs
	}
	fits := transaction{msgs: vote(1), signers: [][]byte{address(1)}, gas: ante.MaxGas}
	change := func(f func(*transaction)) transaction {
		tx := fits
		f(&tx)
		return tx
	}
	for _, c := range []struct {
		name string
		tx   sdk.Tx
		size int
		want error
	}{
		{"fits", fits, ante.MaxBytes, nil},
		{"most messages", change(func(tx *transaction) { tx.msgs = vote(ante.MaxMessages) }), 1, nil},
		{"too long", fits, ante.MaxBytes + 1, ante.ErrLimit},
		{"too much gas", change(func(tx *transaction) { tx.gas++ }), 1, ante.ErrLimit},
		{"no message", change(func(tx *transaction) { tx.msgs = nil }), 1, ante.ErrLimit},
		{"too many messages", change(func(tx *transaction) { tx.msgs = vote(ante.MaxMessages + 1) }), 1, ante.ErrLimit},
		{"fee", change(func(tx *transaction) { tx.fee = sdk.NewCoins(sdk.NewInt64Coin("uphrd", 1)) }), 1, ante.ErrFee},
		{"fee granter", change(func(tx *transaction) { tx.granter = address(2) }), 1, ante.ErrFee},
		{"memo", change(func(tx *transaction) { tx.memo = "x" }), 1, ante.ErrMemo},
		{"bank", change(func(tx *transaction) { tx.msgs = append(vote(1), &banktypes.MsgSend{}) }), 1, ante.ErrMessage},
		{"no fee part", bare{}, 1, sdkerrors.ErrTxDecode},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached, err := pass(t, ante.Limits(), c.tx, c.size, false)
			if !errors.Is(err, c.want) || reached != (c.want == nil) {
				t.Fatalf("got %v (next check reached: %t), want %v", err, reached, c.want)
			}
		})
	}
}

// bare has messages and nothing else.
type bare struct{}

func (bare) GetMsgs() []sdk.Msg                  { return []sdk.Msg{&consortium.MsgVote{}} }
func (bare) GetMsgsV2() ([]proto.Message, error) { return nil, nil }

func TestRoles(t *testing.T) {
	const (
		adminOf = iota + 1
		clerkOf
		patientOf
		nodeOf
		revoked
		stranger
	)
	who := func(b byte, role consortium.Role, active bool) consortium.Principal {
		return consortium.Principal{Address: text(address(b)), Role: role, Hospital: 1, Active: active}
	}
	network := func() *people {
		p := &people{principals: map[string]consortium.Principal{}, tokens: 3}
		for _, w := range []consortium.Principal{
			who(adminOf, consortium.ROLE_ADMIN, true), who(clerkOf, consortium.ROLE_CLERK, true), who(patientOf, consortium.ROLE_PATIENT, true),
			who(nodeOf, consortium.ROLE_NODE, true), who(revoked, consortium.ROLE_ADMIN, false),
		} {
			p.principals[w.Address] = w
		}
		return p
	}
	vote, store, approve, shares := &consortium.MsgVote{}, &records.MsgStoreVersions{}, &access.MsgApproveUnlock{}, &custody.MsgSubmitShares{}
	for _, c := range []struct {
		name    string
		signers []byte
		payer   byte
		msgs    []sdk.Msg
		want    error
	}{
		{"admin votes", []byte{adminOf}, 0, []sdk.Msg{vote}, nil},
		{"clerk stores", []byte{clerkOf}, 0, []sdk.Msg{store}, nil},
		{"patient approves", []byte{patientOf}, 0, []sdk.Msg{approve}, nil},
		{"a clerk's approval reaches the handler, which refuses it in the log", []byte{clerkOf}, 0, []sdk.Msg{approve}, nil},
		{"node gives shares", []byte{nodeOf}, 0, []sdk.Msg{shares}, nil},
		{"node confirms copies", []byte{nodeOf}, 0, []sdk.Msg{&storage.MsgConfirmCopies{}}, nil},
		{"a clerk's vote reaches the handler, which refuses it in the log", []byte{clerkOf}, 0, []sdk.Msg{vote}, nil},
		{"clerk proposes to the members", []byte{clerkOf}, 0, []sdk.Msg{&consortium.MsgSubmitProposal{}}, ante.ErrRole},
		{"patient stores", []byte{patientOf}, 0, []sdk.Msg{store}, ante.ErrRole},
		{"admin gives shares", []byte{adminOf}, 0, []sdk.Msg{shares}, ante.ErrRole},
		{"node approves", []byte{nodeOf}, 0, []sdk.Msg{approve}, ante.ErrRole},
		{"second message of another role", []byte{clerkOf}, 0, []sdk.Msg{store, shares}, ante.ErrRole},
		{"admin suspends without a vote", []byte{adminOf}, 0, []sdk.Msg{&consortium.MsgSuspendMember{}}, ante.ErrRole},
		{"revoked admin", []byte{revoked}, 0, []sdk.Msg{vote}, ante.ErrAccount},
		{"stranger", []byte{stranger}, 0, []sdk.Msg{vote}, ante.ErrAccount},
		{"two signers", []byte{adminOf, clerkOf}, 0, []sdk.Msg{vote}, ante.ErrSigner},
		{"no signer", nil, 0, []sdk.Msg{vote}, ante.ErrSigner},
		{"another pays", []byte{adminOf}, clerkOf, []sdk.Msg{vote}, ante.ErrSigner},
		{"message without a rule", []byte{adminOf}, 0, []sdk.Msg{&banktypes.MsgSend{}}, ante.ErrMessage},
		{"rate", []byte{adminOf}, 0, []sdk.Msg{vote, vote, vote, vote}, consortium.ErrRateLimited},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := network()
			tx := transaction{msgs: c.msgs, gas: 1}
			for _, s := range c.signers {
				tx.signers = append(tx.signers, address(s))
			}
			if c.payer != 0 {
				tx.payer = address(c.payer)
			}
			reached, err := pass(t, ante.Roles(p), tx, 1, false)
			if !errors.Is(err, c.want) || reached != (c.want == nil) {
				t.Fatalf("got %v (next check reached: %t), want %v", err, reached, c.want)
			}
			if c.want == nil && p.spent != uint64(len(c.msgs)) {
				t.Errorf("spent %d tokens for %d messages", p.spent, len(c.msgs))
			}
		})
	}
}

func TestASimulationSpendsNothing(t *testing.T) {
	p := &people{principals: map[string]consortium.Principal{
		text(address(1)): {Address: text(address(1)), Role: consortium.ROLE_ADMIN, Active: true},
	}}
	tx := transaction{msgs: []sdk.Msg{&consortium.MsgVote{}}, signers: [][]byte{address(1)}}
	if reached, err := pass(t, ante.Roles(p), tx, 1, true); err != nil || !reached {
		t.Fatalf("simulated: %v", err)
	}
	if reached, err := pass(t, ante.Roles(p), tx, 1, false); !errors.Is(err, consortium.ErrRateLimited) || reached {
		t.Fatalf("sent with an empty bucket: %v", err)
	}
}

func TestCheckTable(t *testing.T) {
	all := ante.Table()
	if err := ante.CheckTable(all); err != nil {
		t.Fatal(err)
	}
	if err := ante.CheckTable(append(all, "/phrd.access.v1.MsgNew")); err == nil {
		t.Error("a message without a rule is taken")
	}
	if err := ante.CheckTable(all[1:]); err == nil {
		t.Error("a rule without a message is taken")
	}
}
