package ante

import errorsmod "cosmossdk.io/errors"

const codespace = "phrd-ante"

var (
	// ErrFee says that a transaction offered a fee; the network has no token.
	ErrFee = errorsmod.Register(codespace, 2, "the network takes no fee")
	// ErrMemo says that a transaction carried a memo; free text has no place on the chain.
	ErrMemo = errorsmod.Register(codespace, 3, "the network takes no memo")
	// ErrLimit says that a transaction is over a fixed limit.
	ErrLimit = errorsmod.Register(codespace, 4, "transaction is over a limit")
	// ErrMessage says that a message type is not taken from accounts.
	ErrMessage = errorsmod.Register(codespace, 5, "message is not taken from accounts")
	// ErrSigner says that a transaction does not have exactly one signer.
	ErrSigner = errorsmod.Register(codespace, 6, "transaction needs exactly one signer")
	// ErrAccount says that the signer is nobody the network knows, or may not write now.
	ErrAccount = errorsmod.Register(codespace, 7, "account may not write")
	// ErrRole says that the signer's role may not send the message.
	ErrRole = errorsmod.Register(codespace, 8, "role may not send this message")
)
