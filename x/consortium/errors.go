package consortium

import errorsmod "cosmossdk.io/errors"

// Errors of malformed messages, of what is not there and of what is not allowed. A
// vote or an opening of an account that is well formed but not allowed is refused
// with a reason instead, see reasons.go.
var (
	ErrUnknownAccount     = errorsmod.Register(ModuleName, 2, "account is not known to the network")
	ErrRateLimited        = errorsmod.Register(ModuleName, 3, "too many messages, try again later")
	ErrUnauthorized       = errorsmod.Register(ModuleName, 4, "signer may not do this")
	ErrKnownAccount       = errorsmod.Register(ModuleName, 5, "account has a role already")
	ErrInvalidAddress     = errorsmod.Register(ModuleName, 6, "invalid account address")
	ErrInvalidDeclaration = errorsmod.Register(ModuleName, 7, "invalid declaration")
	ErrBadSignature       = errorsmod.Register(ModuleName, 8, "signature does not hold")
	ErrInvalidName        = errorsmod.Register(ModuleName, 9, "invalid name")
	ErrInvalidZone        = errorsmod.Register(ModuleName, 10, "invalid time zone")
	ErrInvalidEndpoint    = errorsmod.Register(ModuleName, 11, "invalid network address")
	ErrInvalidKey         = errorsmod.Register(ModuleName, 12, "invalid key")
	ErrInvalidRole        = errorsmod.Register(ModuleName, 13, "invalid role")
	ErrInvalidCapacity    = errorsmod.Register(ModuleName, 14, "invalid capacity")
	ErrInvalidParams      = errorsmod.Register(ModuleName, 15, "invalid parameters")
	ErrInvalidGenesis     = errorsmod.Register(ModuleName, 16, "invalid genesis")
	ErrInvalidProposal    = errorsmod.Register(ModuleName, 17, "invalid proposal")
	ErrNotProposable      = errorsmod.Register(ModuleName, 18, "message may not be voted on")
	ErrInvalidInvitation  = errorsmod.Register(ModuleName, 19, "invalid invitation")
	ErrUnknownMember      = errorsmod.Register(ModuleName, 20, "no such member")
	ErrUnknownSite        = errorsmod.Register(ModuleName, 21, "no such site")
	ErrUnknownNode        = errorsmod.Register(ModuleName, 22, "no such storage node")
	ErrUnknownInvitation  = errorsmod.Register(ModuleName, 23, "no such invitation")
	ErrUnknownProposal    = errorsmod.Register(ModuleName, 24, "no such proposal")
	ErrKnownKey           = errorsmod.Register(ModuleName, 25, "key is taken already")
	ErrKnownName          = errorsmod.Register(ModuleName, 26, "name is taken already")
	ErrWrongStatus        = errorsmod.Register(ModuleName, 27, "its status does not allow this")
	ErrLastValidator      = errorsmod.Register(ModuleName, 28, "the last active member stays")
	ErrLastAdmin          = errorsmod.Register(ModuleName, 29, "a member's last admin stays")
	ErrTooMany            = errorsmod.Register(ModuleName, 30, "too many")
	ErrTooFewHolders      = errorsmod.Register(ModuleName, 31, "too few members would hold a share of a network key")
	ErrSiteInUse          = errorsmod.Register(ModuleName, 32, "a storage node that is not retired stands at the site")
	ErrInvalidWards       = errorsmod.Register(ModuleName, 33, "invalid wards")
	ErrInvalidEpoch       = errorsmod.Register(ModuleName, 34, "invalid epoch of a vault")
	ErrInvalidReport      = errorsmod.Register(ModuleName, 35, "invalid report of sessions")
	ErrInvalidScope       = errorsmod.Register(ModuleName, 36, "invalid hospitals of an auditor")
)
