package ante

import (
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

// Limits of one transaction.
const (
	// MaxMessages in one transaction.
	MaxMessages = 100
	// MaxGas that a transaction may ask for: a hundred versions need half of it, and a block
	// takes ten of them.
	MaxGas = 20_000_000
	// MaxBytes of an encoded transaction; blobs never ride in transactions.
	MaxBytes = 64 << 10
)

// limits refuses what no role may do: fees, memos, foreign messages, oversize.
type limits struct{}

// AnteHandle implements sdk.AnteDecorator.
func (limits) AnteHandle(ctx sdk.Context, tx sdk.Tx, simulate bool, next sdk.AnteHandler) (sdk.Context, error) {
	if n := len(ctx.TxBytes()); n > MaxBytes {
		return ctx, ErrLimit.Wrapf("%d bytes, at most %d", n, MaxBytes)
	}
	fee, ok := tx.(sdk.FeeTx)
	if !ok {
		return ctx, sdkerrors.ErrTxDecode.Wrap("transaction has no fee part")
	}
	if !fee.GetFee().IsZero() || len(fee.FeeGranter()) != 0 {
		return ctx, ErrFee.Wrapf("offered %s", fee.GetFee())
	}
	if fee.GetGas() > MaxGas {
		return ctx, ErrLimit.Wrapf("gas %d, at most %d", fee.GetGas(), MaxGas)
	}
	if memo, ok := tx.(sdk.TxWithMemo); ok && memo.GetMemo() != "" {
		return ctx, ErrMemo.Wrapf("%d bytes", len(memo.GetMemo()))
	}
	msgs := tx.GetMsgs()
	if len(msgs) == 0 || len(msgs) > MaxMessages {
		return ctx, ErrLimit.Wrapf("%d messages, 1 to %d", len(msgs), MaxMessages)
	}
	for _, m := range msgs {
		if url := sdk.MsgTypeURL(m); !strings.HasPrefix(url, "/phrd.") {
			return ctx, ErrMessage.Wrap(url)
		}
	}
	return next(ctx, tx, simulate)
}
