package records

import errorsmod "cosmossdk.io/errors"

// Errors of malformed messages and of what is not there. A message that is well
// formed but not allowed is refused with a reason instead, see reasons.go.
var (
	ErrInvalidID        = errorsmod.Register(ModuleName, 2, "invalid id")
	ErrInvalidCID       = errorsmod.Register(ModuleName, 3, "invalid cid")
	ErrInvalidHeader    = errorsmod.Register(ModuleName, 4, "invalid lock header")
	ErrInvalidProof     = errorsmod.Register(ModuleName, 5, "invalid encapsulation proof")
	ErrInvalidSize      = errorsmod.Register(ModuleName, 6, "invalid size")
	ErrInvalidBatch     = errorsmod.Register(ModuleName, 7, "invalid batch")
	ErrInvalidVault     = errorsmod.Register(ModuleName, 8, "invalid vault")
	ErrInvalidReport    = errorsmod.Register(ModuleName, 9, "invalid access report")
	ErrInvalidParams    = errorsmod.Register(ModuleName, 10, "invalid parameters")
	ErrInvalidGenesis   = errorsmod.Register(ModuleName, 11, "invalid genesis")
	ErrUnauthorized     = errorsmod.Register(ModuleName, 12, "signer may not do this")
	ErrKnownPatient     = errorsmod.Register(ModuleName, 13, "patient is registered already")
	ErrUnknownPatient   = errorsmod.Register(ModuleName, 14, "no such patient")
	ErrUnknownRecord    = errorsmod.Register(ModuleName, 15, "no such record")
	ErrUnknownVersion   = errorsmod.Register(ModuleName, 16, "no such version")
	ErrInvalidErasure   = errorsmod.Register(ModuleName, 17, "invalid erasure")
	ErrNotErased        = errorsmod.Register(ModuleName, 18, "version is not erased")
	ErrInvalidVersions  = errorsmod.Register(ModuleName, 19, "invalid versions")
	ErrInvalidEnvelopes = errorsmod.Register(ModuleName, 20, "invalid envelopes")
	ErrInvalidBox       = errorsmod.Register(ModuleName, 30, "invalid emergency box")
)
