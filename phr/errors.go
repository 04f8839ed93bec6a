package phr

import (
	"errors"
	"fmt"
	"net/http"
)

// What a caller tests with errors.Is.
var (
	// ErrUnreachable says that no gateway that was tried answered in time, or that it is not ready yet.
	ErrUnreachable = errors.New("gateway is not reachable")
	// ErrCertificate says that a gateway showed another certificate than the one it is known by.
	ErrCertificate = errors.New("gateway has another certificate")
	// ErrNetwork says that a gateway belongs to another network.
	ErrNetwork = errors.New("gateway belongs to another network")
	// ErrLogin says that a gateway did not accept the login, or asked to sign something else than a login.
	ErrLogin = errors.New("login failed")
	// ErrForbidden says that the account may not read or do this.
	ErrForbidden = errors.New("account may not do this")
	// ErrNotFound says that what was asked for does not exist, or that the account may not know it.
	ErrNotFound = errors.New("not found")
	// ErrNoAccount says that the network does not know the account.
	ErrNoAccount = errors.New("the network does not know this account")
	// ErrNotCommitted says that a transaction was sent and is in no block yet. It may still come into one.
	ErrNotCommitted = errors.New("transaction is in no block yet")
	// ErrInvitation says that a text is no invitation.
	ErrInvitation = errors.New("not an invitation")
	// ErrVault says that a vault file is malformed, or does not open with what was given.
	ErrVault = errors.New("vault does not open")
	// ErrRef says that a text or a pair of values names no version of a record.
	ErrRef = errors.New("not a version of a record")
	// ErrUpload says that an upload cannot be carried on.
	ErrUpload = errors.New("upload cannot be carried on")
	// ErrReadBack says that what the gateway gives back is not what was stored.
	ErrReadBack = errors.New("stored version does not read back")
	// ErrPrevious says that leaves of the version that was given as the previous one may not be used again.
	ErrPrevious = errors.New("not an earlier version whose leaves may be used again")
	// ErrBusy says that the account has sent more than it may for a while.
	ErrBusy = errors.New("too much at once for this account")
	// ErrNotCopied says that fewer copies than wanted were there in time.
	ErrNotCopied = errors.New("not enough copies yet")
	// ErrNotApproved says that an unlock waits for signatures.
	ErrNotApproved = errors.New("unlock is not approved")
	// ErrConsented says that a consent of the owner stood in for the approval of an unlock.
	ErrConsented = errors.New("unlock was approved by a consent")
	// ErrNotReleased says that an unlock is approved and not enough holders have given their shares.
	ErrNotReleased = errors.New("unlock is not released")
	// ErrNotReady says that a recovery waits for approvals, for the end of its delay, or for the hospitals' shares.
	ErrNotReady = errors.New("recovery is not ready")
	// ErrNotErased says that a version is not erased.
	ErrNotErased = errors.New("version is not erased")
	// ErrNotAttested says that hospitals have not attested an erasure yet.
	ErrNotAttested = errors.New("not every hospital has attested the erasure yet")
	// ErrEnded says that an unlock was denied, withdrawn, closed or has expired, or a recovery cancelled, expired or finished.
	ErrEnded = errors.New("unlock has ended")
	// ErrSession says that this program does not hold the session of the unlock.
	ErrSession = errors.New("no session for this unlock")
	// ErrProposal says that an unlock is not what its id stands for, or breaks a rule that its owner checks.
	ErrProposal = errors.New("proposal does not hold")
	// ErrDisagree says that the nodes of two hospitals show an unlock, or what belongs to it, differently.
	ErrDisagree = errors.New("two hospitals show different things")
	// ErrBlock says that a block is not the one that its CID names.
	ErrBlock = errors.New("block does not match its identifier")
	// ErrNoBox says that a version is not sealed for emergencies, or not for this hospital.
	ErrNoBox = errors.New("version is not sealed for emergencies")
	// ErrCommitment says that the halves of a key do not fit what the version was locked with.
	ErrCommitment = errors.New("key does not fit the version's commitments")
	// ErrDocument says that a wallet signed something else than it was given.
	ErrDocument = errors.New("wallet signed another document")
)

// Refused is the answer of the chain to a message that it did not carry out. Where it is a decision of a handler, the
// refusal stands in the log.
type Refused struct {
	// Message is the full name of the message, like "phrd.access.v1.MsgApproveUnlock".
	Message string
	// Reason is the code of the refusal, like "not_endorsed"; "<codespace>/<number>" where the transaction failed.
	Reason string
	// Detail is what the chain said of it; may be empty.
	Detail string
}

// Error implements error.
func (r *Refused) Error() string {
	if r.Detail == "" {
		return fmt.Sprintf("the chain refused %s: %s", r.Message, r.Reason)
	}
	return fmt.Sprintf("the chain refused %s: %s: %s", r.Message, r.Reason, r.Detail)
}

// Problem is an error answer of a gateway (RFC 9457).
type Problem struct {
	// Gateway is the URL that answered.
	Gateway string `json:"-"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Title names the kind of problem.
	Title string `json:"title"`
	// Detail says what is wrong here.
	Detail string `json:"detail"`
	// Hint says what helps; may be empty.
	Hint string `json:"hint"`
}

// Error implements error.
func (p *Problem) Error() string {
	text := p.Title
	if text == "" {
		text = http.StatusText(p.Status)
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return fmt.Sprintf("gateway %s: %d: %s", p.Gateway, p.Status, text)
}

// Is tells which sentinel stands for the status.
func (p *Problem) Is(target error) bool {
	switch p.Status {
	case http.StatusUnauthorized:
		return target == ErrLogin
	case http.StatusForbidden:
		return target == ErrForbidden
	case http.StatusNotFound, http.StatusGone:
		return target == ErrNotFound
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return target == ErrUnreachable
	}
	return false
}
