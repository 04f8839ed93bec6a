// Package doctor looks for what is wrong with a hospital's server, or with a storage node, before anybody else notices.
//
// An examination gathers facts: from the home's files, from the machine, from the running server on loopback, and from the gateways of
// the other hospitals. Then each check, a small function of these facts, says what it found and what to do about it. A server that does not run, or a
// hospital that does not answer, leaves facts out; the checks that need them say so and are [Unknown].
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// Status is what a check comes to.
type Status string

// What a check may come to.
const (
	// OK says that all is well.
	OK Status = "ok"
	// Warn says that it works now, and will not for ever.
	Warn Status = "warn"
	// Fail says that something does not work.
	Fail Status = "fail"
	// Unknown says that it could not be checked.
	Unknown Status = "unknown"
)

// Result is what one check found.
type Result struct {
	Check   string `json:"check"`
	Status  Status `json:"status"`
	Finding string `json:"finding"`
	// Remedy is what to do; empty where there is nothing to do.
	Remedy string `json:"remedy"`
}

// Doctor examines one home.
type Doctor struct {
	// Home is what is examined, and Loose the error with which it was opened: that others may read a secret in it.
	Home  home.Home
	Loose error
	// Keys are the home's keys; nil where nobody gave the passphrase.
	Keys *keys.Store
	// Version of the program.
	Version string
	// Reach asks other hospitals whether they reach this one; nil where nobody can ask as an admin of it.
	Reach func(ctx context.Context, hospital uint64) ([]phr.Reach, error)
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// checks are all of them, in the order in which they are shown. Those of a hospital are not for a storage node.
var checks = []struct {
	name     string
	hospital bool
	look     func(*facts) Result
}{
	{"permissions", false, (*facts).permissions},
	{"configuration", false, (*facts).configuration},
	{"network", false, (*facts).network},
	{"server", false, (*facts).running},
	{"chain", false, (*facts).chainMoves},
	{"clock", false, (*facts).clock},
	{"peers", false, (*facts).connected},
	{"reach", true, (*facts).reachable},
	{"addresses", false, (*facts).addresses},
	{"certificate", true, (*facts).certificate},
	{"versions", false, (*facts).versions},
	{"share", true, (*facts).share},
	{"admins", true, (*facts).admins},
	{"backup", true, (*facts).backup},
	{"disk", false, (*facts).disk},
	{"webhooks", true, (*facts).webhooks},
	{"open files", false, (*facts).openFiles},
	{"core dumps", false, (*facts).coreDumps},
}

// Examine makes every check, and returns what each found.
func (d Doctor) Examine(ctx context.Context) []Result {
	if d.Now == nil {
		d.Now = time.Now
	}
	f := d.gather(ctx)
	var results []Result
	for _, c := range checks {
		if c.hospital && d.Home.StorageOnly() {
			continue
		}
		r := c.look(f)
		r.Check = c.name
		results = append(results, r)
	}
	return results
}

// Failed counts the checks that failed.
func Failed(results []Result) int {
	failed := 0
	for _, r := range results {
		if r.Status == Fail {
			failed++
		}
	}
	return failed
}

func ok(format string, args ...any) Result {
	return Result{Status: OK, Finding: fmt.Sprintf(format, args...)}
}

func warn(remedy, format string, args ...any) Result {
	return Result{Status: Warn, Finding: fmt.Sprintf(format, args...), Remedy: remedy}
}

func fail(remedy, format string, args ...any) Result {
	return Result{Status: Fail, Finding: fmt.Sprintf(format, args...), Remedy: remedy}
}

func unknown(remedy, format string, args ...any) Result {
	return Result{Status: Unknown, Finding: fmt.Sprintf(format, args...), Remedy: remedy}
}

// stopped is the result of checks that need the running server.
func (f *facts) stopped() Result {
	return unknown("start the server, and run this again", "the server on this machine does not answer: %v", f.ServerErr)
}
