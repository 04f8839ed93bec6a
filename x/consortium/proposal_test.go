package consortium_test

import (
	"strings"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	consensus "github.com/cosmos/cosmos-sdk/x/consensus/types"
	upgrade "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/consortium"
)

func consensusParams() *consensus.MsgUpdateParams {
	return &consensus.MsgUpdateParams{
		Authority: consortium.Account().String(),
		Block:     &cmtproto.BlockParams{MaxBytes: 2 << 20, MaxGas: 200_000_000},
		Evidence:  &cmtproto.EvidenceParams{MaxAgeNumBlocks: 100_000, MaxAgeDuration: 48 * time.Hour, MaxBytes: 1 << 20},
		Validator: &cmtproto.ValidatorParams{PubKeyTypes: []string{"ed25519"}},
	}
}

func TestConsensusParamsInBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*consensus.MsgUpdateParams)
		err    error
	}{
		{"as they are", func(*consensus.MsgUpdateParams) {}, nil},
		{"no vote extensions", func(m *consensus.MsgUpdateParams) { m.Abci = &cmtproto.ABCIParams{} }, nil},
		{"an authority", func(m *consensus.MsgUpdateParams) {
			m.Auth = &cmtproto.AuthorityParams{Authority: sdk.AccAddress(make([]byte, 20)).String()}
		}, consortium.ErrNotProposable},
		{"an authority without a name", func(m *consensus.MsgUpdateParams) { m.Auth = &cmtproto.AuthorityParams{} }, consortium.ErrNotProposable},
		{"no block", func(m *consensus.MsgUpdateParams) { m.Block = nil }, consortium.ErrNotProposable},
		{"no evidence", func(m *consensus.MsgUpdateParams) { m.Evidence = nil }, consortium.ErrNotProposable},
		{"no validator", func(m *consensus.MsgUpdateParams) { m.Validator = nil }, consortium.ErrNotProposable},
		{"vote extensions", func(m *consensus.MsgUpdateParams) { m.Abci = &cmtproto.ABCIParams{VoteExtensionsEnableHeight: 9} }, consortium.ErrNotProposable},
		{"other keys", func(m *consensus.MsgUpdateParams) { m.Validator.PubKeyTypes = []string{"secp256k1"} }, consortium.ErrNotProposable},
		{"no keys", func(m *consensus.MsgUpdateParams) { m.Validator.PubKeyTypes = nil }, consortium.ErrNotProposable},
		{"tiny blocks", func(m *consensus.MsgUpdateParams) { m.Block.MaxBytes = 100 }, consortium.ErrNotProposable},
		{"blocks without end", func(m *consensus.MsgUpdateParams) { m.Block.MaxBytes = -1 }, consortium.ErrNotProposable},
		{"huge blocks", func(m *consensus.MsgUpdateParams) { m.Block.MaxBytes = 16<<20 + 1 }, consortium.ErrNotProposable},
		{"no gas", func(m *consensus.MsgUpdateParams) { m.Block.MaxGas = 0 }, consortium.ErrNotProposable},
		{"gas without end", func(m *consensus.MsgUpdateParams) { m.Block.MaxGas = -1 }, consortium.ErrNotProposable},
		{"evidence that is never too young", func(m *consensus.MsgUpdateParams) { m.Evidence.MaxAgeNumBlocks = 1 }, consortium.ErrNotProposable},
		{"evidence of a minute", func(m *consensus.MsgUpdateParams) { m.Evidence.MaxAgeDuration = time.Minute }, consortium.ErrNotProposable},
		{"no room for evidence", func(m *consensus.MsgUpdateParams) { m.Evidence.MaxBytes = 0 }, consortium.ErrNotProposable},
		{"evidence larger than a block", func(m *consensus.MsgUpdateParams) { m.Evidence.MaxBytes = 2<<20 + 1 }, consortium.ErrNotProposable},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := consensusParams()
			c.change(m)
			require.ErrorIs(t, consortium.CheckProposable(m), c.err)
		})
	}
}

func softwareUpgrade() *upgrade.MsgSoftwareUpgrade {
	return &upgrade.MsgSoftwareUpgrade{Authority: consortium.Account().String(), Plan: upgrade.Plan{Name: "v1.2.0", Height: 100}}
}

func TestUpgradesInBounds(t *testing.T) {
	binary := "linux/amd64=" + strings.Repeat("0f", 32)
	for _, c := range []struct {
		name   string
		change func(*upgrade.Plan)
		err    error
	}{
		{"a name and a height", func(*upgrade.Plan) {}, nil},
		{"a program", func(p *upgrade.Plan) { p.Info = binary }, nil},
		{"two programs", func(p *upgrade.Plan) { p.Info = binary + ",linux/arm64=" + strings.Repeat("ab", 32) }, nil},
		{"no name", func(p *upgrade.Plan) { p.Name = "" }, consortium.ErrNotProposable},
		{"a name that is none", func(p *upgrade.Plan) { p.Name = "../v1" }, consortium.ErrNotProposable},
		{"a long name", func(p *upgrade.Plan) { p.Name = strings.Repeat("v", 33) }, consortium.ErrNotProposable},
		{"no height", func(p *upgrade.Plan) { p.Height = 0 }, consortium.ErrNotProposable},
		{"a time", func(p *upgrade.Plan) { p.Time = time.Unix(1, 0) }, consortium.ErrNotProposable},                            //nolint:staticcheck // it is refused
		{"a client's state", func(p *upgrade.Plan) { p.UpgradedClientState = &codectypes.Any{} }, consortium.ErrNotProposable}, //nolint:staticcheck // it is refused
		{"free text", func(p *upgrade.Plan) { p.Info = "https://example.org" }, consortium.ErrNotProposable},
		{"a short hash", func(p *upgrade.Plan) { p.Info = binary[:len(binary)-1] }, consortium.ErrNotProposable},
		{"many programs", func(p *upgrade.Plan) { p.Info = strings.Repeat(binary+",", 8) + binary }, consortium.ErrNotProposable},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := softwareUpgrade()
			c.change(&m.Plan)
			require.ErrorIs(t, consortium.CheckProposable(m), c.err)
		})
	}
}

func TestClosedList(t *testing.T) {
	authority := consortium.Account().String()
	clinic := declare(t, "clinic")
	for _, msg := range []sdk.Msg{
		&consortium.MsgAdmitMember{Authority: authority, Hospital: clinic.sign(t)},
		&consortium.MsgSuspendMember{Authority: authority, Member: 1}, &consortium.MsgReinstateMember{Authority: authority, Member: 1},
		&consortium.MsgRemoveMember{Authority: authority, Member: 1}, &consortium.MsgReplaceAdmin{Authority: authority, Member: 1},
		&consortium.MsgUpdateParams{Authority: authority, Params: consortium.DefaultParams()}, consensusParams(),
		softwareUpgrade(), &upgrade.MsgCancelUpgrade{Authority: authority},
	} {
		require.NoError(t, consortium.CheckProposable(msg))
		require.Contains(t, consortium.Proposable(), sdk.MsgTypeURL(msg))
	}
	for _, msg := range []sdk.Msg{
		&consortium.MsgSubmitProposal{}, &consortium.MsgVote{}, &consortium.MsgRegisterStaff{}, &consortium.MsgOpenAccount{},
		&consortium.MsgUpdateMember{}, &consortium.MsgRequestLeave{}, &consortium.MsgUpdateStorageNode{}, &consortium.MsgCreateInvitation{},
	} {
		require.ErrorIs(t, consortium.CheckProposable(msg), consortium.ErrNotProposable)
	}
	require.ErrorIs(t, consortium.CheckProposable(&consortium.MsgUpdateParams{Authority: authority}), consortium.ErrInvalidParams)
	forged := clinic.sign(t)
	forged.AdminSignature[0] ^= 1
	require.ErrorIs(t, consortium.CheckProposable(&consortium.MsgAdmitMember{Authority: authority, Hospital: forged}), consortium.ErrBadSignature)
	require.ErrorIs(t, consortium.CheckProposable(&consortium.MsgAdmitMember{Authority: authority}), consortium.ErrInvalidDeclaration)
	list := consortium.Proposable()
	list[0] = "/phrd.consortium.v1.MsgVote"
	require.ErrorIs(t, consortium.CheckProposable(&consortium.MsgVote{}), consortium.ErrNotProposable)
}

func TestMessagesOfAProposal(t *testing.T) {
	suspend := func(member uint64) sdk.Msg {
		return &consortium.MsgSuspendMember{Authority: consortium.Account().String(), Member: member}
	}
	var m consortium.MsgSubmitProposal
	require.NoError(t, m.SetMsgs([]sdk.Msg{suspend(1), suspend(2), suspend(3), suspend(4)}))
	msgs, err := m.Msgs()
	require.NoError(t, err)
	require.Equal(t, []sdk.Msg{suspend(1), suspend(2), suspend(3), suspend(4)}, msgs)
	p := consortium.Proposal{Messages: m.Messages}
	msgs, err = p.Msgs()
	require.NoError(t, err)
	require.Len(t, msgs, 4)

	require.NoError(t, m.SetMsgs([]sdk.Msg{suspend(1), suspend(2), suspend(3), suspend(4), suspend(5)}))
	_, err = m.Msgs()
	require.ErrorIs(t, err, consortium.ErrInvalidProposal)
	_, err = (&consortium.MsgSubmitProposal{}).Msgs()
	require.ErrorIs(t, err, consortium.ErrInvalidProposal)
	_, err = (&consortium.MsgSubmitProposal{Messages: []*codectypes.Any{nil}}).Msgs()
	require.ErrorIs(t, err, consortium.ErrInvalidProposal)
	_, err = (&consortium.MsgSubmitProposal{Messages: []*codectypes.Any{{TypeUrl: "/phrd.consortium.v1.MsgSuspendMember"}}}).Msgs()
	require.ErrorIs(t, err, consortium.ErrNotProposable)
	require.NoError(t, m.SetMsgs([]sdk.Msg{suspend(1), &consortium.MsgVote{}}))
	_, err = m.Msgs()
	require.ErrorIs(t, err, consortium.ErrNotProposable)
	require.NoError(t, m.SetMsgs([]sdk.Msg{&consortium.MsgSuspendMember{Authority: string(make([]byte, consortium.MaxProposalSize))}}))
	_, err = m.Msgs()
	require.ErrorIs(t, err, consortium.ErrInvalidProposal)
}
