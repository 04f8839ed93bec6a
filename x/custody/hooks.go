package custody

import (
	"context"

	"github.com/phrd/phrd/x/audit"
)

// ReleaseHooks is what custody tells the module whose unlocks are released. The
// hooks run inside custody's handlers: they never call back into custody to write,
// and an error from one is a bug that undoes the whole message.
type ReleaseHooks interface {
	// Released is called once for an unlock, when the threshold of shares of one
	// epoch was given.
	Released(ctx context.Context, unlock string) error
	// ShareRefused is called when a share of a member failed its proof.
	ShareRefused(ctx context.Context, unlock string, holder uint64, reason string) error
	// LateShare is called when a valid share came after the release was closed.
	LateShare(ctx context.Context, unlock string, holder uint64) error
	// Subject answers whom (a patient's number, empty for a hospital's own data) and
	// which versions an unlock is about, for the entries of the log.
	Subject(ctx context.Context, unlock string) (patient string, subjects []audit.Subject, err error)
}
