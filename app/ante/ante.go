// Package ante is the chain of checks that a transaction passes before its messages run. There are no fees: what bounds a writer
// is the role table (who may send which message), a token bucket per account, and fixed limits on size, gas and shape. The same
// checks hold in CheckTx, in ReCheck and in FinalizeBlock, so a proposer cannot let through what a mempool would refuse.
package ante

import (
	"errors"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authante "github.com/cosmos/cosmos-sdk/x/auth/ante"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	txsigning "github.com/cosmos/cosmos-sdk/x/tx/signing"
)

// MaxUnorderedLifetime is how far behind the block time an unordered transaction may time out.
const MaxUnorderedLifetime = 10 * time.Minute

// Options are what the chain of checks needs.
type Options struct {
	// Accounts is auth's keeper.
	Accounts authkeeper.AccountKeeper
	// SignModes verify signatures.
	SignModes *txsigning.HandlerMap
	// Consortium knows the principals and their token buckets.
	Consortium Consortium
}

// New returns the chain of checks.
func New(o Options) (sdk.AnteHandler, error) {
	if o.SignModes == nil || o.Consortium == nil {
		return nil, errors.New("ante: sign modes and consortium are required")
	}
	return sdk.ChainAnteDecorators(
		authante.NewSetUpContextDecorator(),
		authante.NewExtensionOptionsDecorator(nil),
		limits{},
		authante.NewValidateBasicDecorator(),
		authante.NewTxTimeoutHeightDecorator(),
		authante.NewConsumeGasForTxSizeDecorator(o.Accounts),
		roles{consortium: o.Consortium},
		authante.NewSetPubKeyDecorator(o.Accounts),
		authante.NewValidateSigCountDecorator(o.Accounts),
		authante.NewSigGasConsumeDecorator(o.Accounts, authante.DefaultSigVerificationGasConsumer),
		authante.NewSigVerificationDecorator(o.Accounts, o.SignModes, authante.WithMaxUnorderedTxTimeoutDuration(MaxUnorderedLifetime)),
		authante.NewIncrementSequenceDecorator(o.Accounts),
	), nil
}
