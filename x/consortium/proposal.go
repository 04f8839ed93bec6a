package consortium

import (
	"regexp"
	"slices"
	"strings"
	"time"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	consensus "github.com/cosmos/cosmos-sdk/x/consensus/types"
	upgrade "github.com/cosmos/cosmos-sdk/x/upgrade/types"
)

const (
	// MaxMessages is how many messages one proposal carries out at most.
	MaxMessages = 4
	// MaxProposalSize bounds the bytes of a proposal's messages together.
	MaxProposalSize = 16 << 10
	// MaxBinaries is how many programs the plan of an upgrade names at most.
	MaxBinaries = 8

	minBlockBytes    = 256 << 10
	limitBlockBytes  = 16 << 20
	minBlockGas      = 20_000_000
	limitBlockGas    = 2_000_000_000
	minEvidenceAge   = 1_000
	limitEvidenceAge = 10_000_000
	minEvidenceTime  = time.Hour
	limitEvidence    = 90 * 24 * time.Hour
	minEvidenceSize  = 10 << 10
	validatorKeys    = "ed25519"
)

// proposable is the closed list of what a vote carries out.
var proposable = []string{
	"/cosmos.consensus.v1.MsgUpdateParams",
	"/cosmos.upgrade.v1beta1.MsgCancelUpgrade",
	"/cosmos.upgrade.v1beta1.MsgSoftwareUpgrade",
	"/phrd.access.v1.MsgUpdateParams",
	"/phrd.consortium.v1.MsgAdmitMember",
	"/phrd.consortium.v1.MsgAppointAuditor",
	"/phrd.consortium.v1.MsgDismissAuditor",
	"/phrd.consortium.v1.MsgReinstateMember",
	"/phrd.consortium.v1.MsgRemoveMember",
	"/phrd.consortium.v1.MsgReplaceAdmin",
	"/phrd.consortium.v1.MsgSuspendMember",
	"/phrd.consortium.v1.MsgUpdateParams",
	"/phrd.custody.v1.MsgStartGeneration",
	"/phrd.custody.v1.MsgStartReshare",
	"/phrd.custody.v1.MsgUpdateParams",
	"/phrd.records.v1.MsgUpdateParams",
	"/phrd.storage.v1.MsgUpdateParams",
}

// Proposable are the type URLs of the messages that a proposal may carry.
func Proposable() []string { return slices.Clone(proposable) }

// CheckProposable answers ErrNotProposable unless the message is on the closed list
// and, where it changes the parameters of consensus, hands over no authority and
// stays in bounds within which the network goes on, and where it plans an upgrade,
// names it and its programs as people can read them. Parameters and declarations in a
// message must be valid; the errors are theirs. Who signs the message is for the
// caller to check.
func CheckProposable(msg sdk.Msg) error {
	url := sdk.MsgTypeURL(msg)
	if !slices.Contains(proposable, url) {
		return ErrNotProposable.Wrap(url)
	}
	switch m := msg.(type) {
	case *consensus.MsgUpdateParams:
		return checkConsensus(m)
	case *upgrade.MsgSoftwareUpgrade:
		return checkUpgrade(m)
	case *MsgUpdateParams:
		return m.Params.Validate()
	case *MsgAdmitMember:
		_, err := m.Hospital.Open()
		return err
	case *MsgAppointAuditor:
		return m.Validate()
	default:
		return nil
	}
}

// checkConsensus bounds what a vote may do to consensus. A filled auth would take
// over the authority of every module of the SDK for good.
func checkConsensus(m *consensus.MsgUpdateParams) error {
	if m.Auth != nil {
		return ErrNotProposable.Wrap("auth must be empty")
	}
	if m.Block == nil || m.Evidence == nil || m.Validator == nil {
		return ErrNotProposable.Wrap("block, evidence and validator must be given")
	}
	if m.Abci != nil && m.Abci.VoteExtensionsEnableHeight != 0 {
		return ErrNotProposable.Wrap("vote extensions are not used")
	}
	if !slices.Equal(m.Validator.PubKeyTypes, []string{validatorKeys}) {
		return ErrNotProposable.Wrapf("validator keys: want %s alone", validatorKeys)
	}
	for _, c := range []struct {
		name             string
		got, least, most int64
	}{
		{"block.max_bytes", m.Block.MaxBytes, minBlockBytes, limitBlockBytes},
		{"block.max_gas", m.Block.MaxGas, minBlockGas, limitBlockGas},
		{"evidence.max_age_num_blocks", m.Evidence.MaxAgeNumBlocks, minEvidenceAge, limitEvidenceAge},
		{"evidence.max_age_duration", int64(m.Evidence.MaxAgeDuration), int64(minEvidenceTime), int64(limitEvidence)},
		{"evidence.max_bytes", m.Evidence.MaxBytes, minEvidenceSize, m.Block.MaxBytes},
	} {
		if c.got < c.least || c.got > c.most {
			return ErrNotProposable.Wrapf("%s: got %d, want %d to %d", c.name, c.got, c.least, c.most)
		}
	}
	return nil
}

var (
	upgradeName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,31}$`)
	upgradeBinary = regexp.MustCompile(`^[a-z0-9]{1,16}/[a-z0-9]{1,16}=[0-9a-f]{64}$`)
)

// checkUpgrade bounds the plan of an upgrade. Its info names the programs for it, each as operating system, processor and SHA-256, such as
// linux/amd64=5f1c…, with commas between.
func checkUpgrade(m *upgrade.MsgSoftwareUpgrade) error {
	if !upgradeName.MatchString(m.Plan.Name) {
		return ErrNotProposable.Wrapf("name %.40q: want 1 to 32 of [a-z0-9.-]", m.Plan.Name)
	}
	if m.Plan.Height < 1 {
		return ErrNotProposable.Wrapf("height %d", m.Plan.Height)
	}
	if !m.Plan.Time.IsZero() || m.Plan.UpgradedClientState != nil { //nolint:staticcheck // to refuse them
		return ErrNotProposable.Wrap("a plan has a height and nothing else")
	}
	if m.Plan.Info == "" {
		return nil
	}
	binaries := strings.Split(m.Plan.Info, ",")
	if len(binaries) > MaxBinaries {
		return ErrNotProposable.Wrapf("got %d programs, want at most %d", len(binaries), MaxBinaries)
	}
	for _, binary := range binaries {
		if !upgradeBinary.MatchString(binary) {
			return ErrNotProposable.Wrapf("program %.120q: want system/processor=SHA-256", binary)
		}
	}
	return nil
}

// checkMessages answers ErrInvalidProposal unless there are 1 to 4 messages of at
// most 16 KiB together, and ErrNotProposable where one is not on the closed list.
func checkMessages(messages []*codectypes.Any) ([]sdk.Msg, error) {
	if len(messages) < 1 || len(messages) > MaxMessages {
		return nil, ErrInvalidProposal.Wrapf("got %d messages, want 1 to %d", len(messages), MaxMessages)
	}
	size := 0
	msgs := make([]sdk.Msg, len(messages))
	for i, m := range messages {
		if m == nil {
			return nil, ErrInvalidProposal.Wrapf("message %d is absent", i+1)
		}
		size += len(m.TypeUrl) + len(m.Value)
		msg, ok := m.GetCachedValue().(sdk.Msg)
		if !ok {
			return nil, ErrNotProposable.Wrapf("message %d: %q", i+1, m.TypeUrl)
		}
		if err := CheckProposable(msg); err != nil {
			return nil, err
		}
		msgs[i] = msg
	}
	if size > MaxProposalSize {
		return nil, ErrInvalidProposal.Wrapf("got %d bytes of messages, want at most %d", size, MaxProposalSize)
	}
	return msgs, nil
}

// Msgs are the messages to carry out, each on the closed list; ErrInvalidProposal
// or ErrNotProposable otherwise.
func (p *Proposal) Msgs() ([]sdk.Msg, error) { return checkMessages(p.Messages) }

// Msgs are the messages proposed, each on the closed list; ErrInvalidProposal or
// ErrNotProposable otherwise.
func (m *MsgSubmitProposal) Msgs() ([]sdk.Msg, error) { return checkMessages(m.Messages) }

// SetMsgs puts messages into the proposal.
func (m *MsgSubmitProposal) SetMsgs(msgs []sdk.Msg) error {
	messages := make([]*codectypes.Any, len(msgs))
	for i, msg := range msgs {
		packed, err := codectypes.NewAnyWithValue(msg)
		if err != nil {
			return ErrInvalidProposal.Wrap(err.Error())
		}
		messages[i] = packed
	}
	m.Messages = messages
	return nil
}

func unpack(unpacker codectypes.AnyUnpacker, messages []*codectypes.Any) error {
	for _, m := range messages {
		var msg sdk.Msg
		if err := unpacker.UnpackAny(m, &msg); err != nil {
			return err
		}
	}
	return nil
}

// UnpackInterfaces reads the messages inside.
func (p *Proposal) UnpackInterfaces(u codectypes.AnyUnpacker) error { return unpack(u, p.Messages) }

// UnpackInterfaces reads the messages inside.
func (m *MsgSubmitProposal) UnpackInterfaces(u codectypes.AnyUnpacker) error {
	return unpack(u, m.Messages)
}

// UnpackInterfaces reads the messages inside.
func (g *GenesisState) UnpackInterfaces(u codectypes.AnyUnpacker) error {
	return unpackAll(u, g.Proposals)
}

// UnpackInterfaces reads the messages inside.
func (r *QueryProposalResponse) UnpackInterfaces(u codectypes.AnyUnpacker) error {
	return r.Proposal.UnpackInterfaces(u)
}

// UnpackInterfaces reads the messages inside.
func (r *QueryProposalsResponse) UnpackInterfaces(u codectypes.AnyUnpacker) error {
	return unpackAll(u, r.Proposals)
}

func unpackAll(u codectypes.AnyUnpacker, proposals []Proposal) error {
	for i := range proposals {
		if err := proposals[i].UnpackInterfaces(u); err != nil {
			return err
		}
	}
	return nil
}

// Tally counts the votes of the members that are active now.
type Tally struct {
	// Accept and Reject are votes cast by active members.
	Accept, Reject uint64
	// Active is how many members may vote.
	Active uint64
}

// Accepted says whether more than two thirds of the active members accept.
func (t Tally) Accepted() bool { return 3*t.Accept > 2*t.Active }

// Rejected says whether so many reject that the others can't accept any more.
func (t Tally) Rejected() bool { return 3*(t.Active-t.Reject) <= 2*t.Active }
