package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/server"
	"github.com/phrd/phrd/inbox"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
)

// Exit codes that scripts can rely on.
const (
	exitOK      = 0
	exitFailed  = 1 // anything else
	exitUsage   = 2 // the command line is wrong
	exitNotYet  = 3 // not possible now: signatures, shares, copies or gateways are missing
	exitRefused = 4 // refused: by the chain, by a gateway, or because it was denied, withdrawn or has expired
	exitUpgrade = 5 // this is not the program for the next block; whoever starts it again gets the same
)

// errNotLeft says that a hospital has not left the network, errStays that an admin was asked and did not say yes.
var (
	errNotLeft = errors.New("it has not left the network")
	errStays   = errors.New("the hospital stays")
)

// errEndangered says that objects have fewer copies than make them safe.
var errEndangered = errors.New("fewer copies are there than make it safe")

// errKeys says that not every share of the network's keys is confirmed.
var errKeys = errors.New("the network's keys are not whole")

// interrupted is the error of a command that a signal ended, whatever broke because of it. It stands for none of the sentinels
// in it: to be interrupted is no answer of the network.
type interrupted struct{ broken error }

// Error implements error.
func (e *interrupted) Error() string { return "interrupted: " + e.broken.Error() }

// usageError is a mistake on the command line.
type usageError struct{ text string }

// Error implements error.
func (e *usageError) Error() string { return e.text }

// usage is an error with exit code 2.
func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// exitCode is what the process ends with after this error.
func exitCode(err error) int {
	var wrong *usageError
	var refused *phr.Refused
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		return exitUsage
	case errors.Is(err, app.ErrUpgradeDue), errors.Is(err, app.ErrUpgradeEarly), errors.Is(err, app.ErrOutdated):
		return exitUpgrade
	case errors.As(err, &refused), errors.Is(err, phr.ErrEnded), errors.Is(err, phr.ErrForbidden):
		return exitRefused
	case errors.Is(err, phr.ErrNotApproved), errors.Is(err, phr.ErrNotReleased), errors.Is(err, phr.ErrNotReady), errors.Is(err, phr.ErrNotCopied),
		errors.Is(err, phr.ErrNotCommitted), errors.Is(err, phr.ErrUnreachable), errors.Is(err, errNotReady), errors.Is(err, errNotSafe),
		errors.Is(err, errEndangered), errors.Is(err, errKeys), errors.Is(err, phr.ErrNotAttested), errors.Is(err, errNotLeft):
		return exitNotYet
	}
	return exitFailed
}

// hint is what may help after this error; empty where nothing does.
func hint(err error) string {
	var problem *phr.Problem
	if errors.As(err, &problem) && problem.Hint != "" {
		return problem.Hint
	}
	for _, h := range []struct {
		err  error
		text string
	}{
		{phr.ErrNotApproved, "`phrd unlock show` tells whose signature is missing"},
		{phr.ErrNotReleased, "too few hospitals are up to give their shares; try again, or give it more time with --timeout"},
		{phr.ErrNotReady, "`phrd recovery status` tells what is missing"},
		{errShares, "the patient should name the guardians anew: `phrd guardian set`"},
		{phr.ErrSession, "only the home that proposed an unlock can open it, until it is closed or ends"},
		{phr.ErrNoAccount, "an admin registers staff with `phrd staff add`; patients come with an invitation, `phrd patient join`"},
		{phr.ErrUnreachable, "is the gateway in client.json running? `phrd status` tells"},
		{phr.ErrCertificate, "if the hospital has replaced its certificate, have the new fingerprint confirmed by it and put it into client.json"},
		{phr.ErrInvitation, "copy the whole line that `phrd patient invite` printed"},
		{phr.ErrDisagree, "do not approve; tell both hospitals"},
		{phr.ErrNotAttested, "a hospital that is away deletes and attests when it is back; until then its disk may hold the ciphertext"},
		{errNotLeft, "it leaves by itself when others hold its copies, which `phrd hospital nodes` counts, and as many others are up as the network's key needs"},
		{phr.ErrNotErased, "`phrd record erase` erases it"},
		{phr.ErrNotCopied, "the record is stored; copying goes on by itself, see `phrd record show`"},
		{errNotSafe, "the queue says why: `phrd watch DIR --list`"},
		{inbox.ErrInUse, "`phrd watch` runs already for this folder and this home"},
		{inbox.ErrPatients, "each line is \"local id,patient number\"; the number is the one that `phrd patient show` prints"},
		{errUnwell, "each line that fails says what to do"},
		{errKeys, "rounds go on by themselves; start the servers of the hospitals that are missing"},
		{errEndangered, "repair goes on by itself; bring back the nodes that `phrd storage status` shows as suspect or lost"},
		{seal.ErrSize, "the file changed while it was read; nothing was stored"},
		{keys.ErrLoose, "only you may read it: chmod 600, and 700 for folders"},
		{keys.ErrMissing, "this home has no keys; is --home right?"},
		{keys.ErrPassphrase, "each home has its own passphrase; it has at least 8 characters"},
		{home.ErrLoose, "only you may read it: chmod 600"},
		{home.ErrNoHome, "is --home right? `phrd init` makes a home"},
		{home.ErrExists, "nothing was overwritten; name another folder"},
		{home.ErrNoGenesis, "`phrd init --genesis` accepts the first state of a new network, `phrd join` that of one that runs"},
		{home.ErrFounder, "`phrd init --genesis` accepts the first state"},
		{errUnknownGateway, "have the hospital read its key to you (`phrd hospital show` there), and repeat with --fingerprint"},
		{home.ErrWrongHash, "do not accept it; ask the other hospitals which genesis they have"},
		{server.ErrPortInUse, "another program listens there, or another home with the same ports; change the setting, or make homes with --port-offset"},
		{server.ErrTwin, "stop the other server for good, then start this one again"},
		{home.ErrBackup, "`phrd backup` makes one; was it cut off on its way here?"},
		{app.ErrUpgradeDue, "`phrd upgrade install FILE` puts the program in place that the members voted for; then start the server again"},
		{app.ErrUpgradeEarly, "run the program of before until the network comes to that height; `phrd upgrade install` kept it beside this one, as phrd.previous"},
		{app.ErrOutdated, "install the program that the other hospitals run"},
		{errNoHash, "say with --sha256 which file the hospitals agreed on"},
		{errNoPlan, "without an upgrade by vote, say with --sha256 which program it shall be"},
		{server.ErrRunning, "stop the other process first"},
		{errNoNetwork, "is --home right? `phrd network create` makes a network on this machine"},
	} {
		if errors.Is(err, h.err) {
			return h.text
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return "you may not read or write this file"
	}
	return ""
}
