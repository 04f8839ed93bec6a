package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
)

// Audit is the log.
type Audit interface {
	// Append writes the entry and answers its sequence.
	Append(ctx context.Context, e audit.Entry) (uint64, error)
	// HasSubject says whether an entry names the patient.
	HasSubject(ctx context.Context, patient string) (bool, error)
}

// Accounts are the accounts of the SDK, which hold public keys and sequences.
type Accounts interface {
	// HasAccount says whether the address has an account.
	HasAccount(ctx context.Context, address sdk.AccAddress) bool
	// NewAccountWithAddress makes an account and gives it a number.
	NewAccountWithAddress(ctx context.Context, address sdk.AccAddress) sdk.AccountI
	// SetAccount writes an account.
	SetAccount(ctx context.Context, account sdk.AccountI)
}

// Router finds what carries out a message of an accepted proposal.
type Router interface {
	// Handler is the handler of the message's type; nil where there is none.
	Handler(msg sdk.Msg) func(ctx sdk.Context, req sdk.Msg) (*sdk.Result, error)
}
