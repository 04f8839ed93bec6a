package storage

import errorsmod "cosmossdk.io/errors"

// Errors of malformed messages and of what is not there. A confirmation, report
// or dispute that is well formed but not accepted is refused with a reason instead, see
// reasons.go.
var (
	ErrInvalidCID       = errorsmod.Register(ModuleName, 2, "invalid cid")
	ErrInvalidBatch     = errorsmod.Register(ModuleName, 3, "invalid batch")
	ErrInvalidPlacement = errorsmod.Register(ModuleName, 4, "invalid placement")
	ErrInvalidParams    = errorsmod.Register(ModuleName, 5, "invalid parameters")
	ErrInvalidGenesis   = errorsmod.Register(ModuleName, 6, "invalid genesis")
	ErrUnauthorized     = errorsmod.Register(ModuleName, 7, "signer may not do this")
	ErrKnown            = errorsmod.Register(ModuleName, 8, "object or block is known already")
	ErrUnknownObject    = errorsmod.Register(ModuleName, 9, "no such object")
	ErrNoRoom           = errorsmod.Register(ModuleName, 10, "no storage node has room")
	ErrQuota            = errorsmod.Register(ModuleName, 11, "member has brought in as much as it may")
	ErrInvalidProof     = errorsmod.Register(ModuleName, 12, "invalid proof")
	ErrEpoch            = errorsmod.Register(ModuleName, 13, "epoch is not open")
	ErrNotChallenged    = errorsmod.Register(ModuleName, 14, "node is asked nothing")
	ErrProven           = errorsmod.Register(ModuleName, 15, "node has answered already")
	ErrReveal           = errorsmod.Register(ModuleName, 16, "reveal is not what the node committed itself to")
	ErrUnknownErasure   = errorsmod.Register(ModuleName, 20, "no such erasure")
)
