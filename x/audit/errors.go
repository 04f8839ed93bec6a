package audit

import errorsmod "cosmossdk.io/errors"

// Errors of the log. ErrInvalidEntry is a bug of the handler that appended it,
// never the fault of who signed a message.
var (
	ErrInvalidEntry   = errorsmod.Register(ModuleName, 2, "invalid entry")
	ErrInvalidGenesis = errorsmod.Register(ModuleName, 3, "invalid genesis")
	ErrInvalidFilter  = errorsmod.Register(ModuleName, 4, "invalid filter")
	ErrUnknownEntry   = errorsmod.Register(ModuleName, 5, "no such entry")
	ErrUnknownSubject = errorsmod.Register(ModuleName, 6, "no entry about this patient")
	ErrIndexBuilding  = errorsmod.Register(ModuleName, 7, "index of the log is being built")
)
