package custody

import errorsmod "cosmossdk.io/errors"

// Errors of malformed messages and of what is not there. A share or a message of a
// round that is well formed but not accepted is refused with a reason instead, see reasons.go.
var (
	ErrInvalidUnlock  = errorsmod.Register(ModuleName, 2, "invalid unlock id")
	ErrInvalidShare   = errorsmod.Register(ModuleName, 3, "invalid share")
	ErrInvalidBatch   = errorsmod.Register(ModuleName, 4, "invalid batch")
	ErrInvalidRelease = errorsmod.Register(ModuleName, 5, "invalid release")
	ErrInvalidParams  = errorsmod.Register(ModuleName, 6, "invalid parameters")
	ErrInvalidGenesis = errorsmod.Register(ModuleName, 7, "invalid genesis")
	ErrUnauthorized   = errorsmod.Register(ModuleName, 8, "signer may not do this")
	ErrNoKey          = errorsmod.Register(ModuleName, 9, "no such network key")
	ErrKnownRelease   = errorsmod.Register(ModuleName, 10, "release was requested already")
	ErrUnknownRelease = errorsmod.Register(ModuleName, 11, "no such release")
	ErrInvalidRound   = errorsmod.Register(ModuleName, 12, "invalid message of a round")
	ErrKeyInMaking    = errorsmod.Register(ModuleName, 13, "network key is being made")
	ErrRoundRuns      = errorsmod.Register(ModuleName, 14, "a round for this key runs already")
	ErrTooFewMembers  = errorsmod.Register(ModuleName, 15, "too few members for a key of this kind")
)
