package storage

import (
	"context"

	"github.com/phrd/phrd/x/audit"
)

// ObjectHooks is what storage tells the module that knows what objects are. The
// hooks run inside storage's handlers: they never call back into storage to write,
// and an error from one is a bug that undoes the whole message.
type ObjectHooks interface {
	// CopyChanged is called after a copy of the object was confirmed or lost, with
	// the copies held now and wanted.
	CopyChanged(ctx context.Context, cid string, held, target uint32) error
	// Subject answers whom (a patient's number, empty for a hospital's own data) and
	// which versions an object is about, for the entries of the log.
	Subject(ctx context.Context, cid string) (patient string, subjects []audit.Subject, err error)
}
