package gateway

import (
	"log/slog"
	"time"

	"google.golang.org/grpc"
)

// ScopeWithout makes the scope of a program whose table lacks a method.
func ScopeWithout(node grpc.ClientConnInterface, method string) error {
	rules := scopeTable()
	delete(rules, method)
	_, err := newScope(node, rules, time.Second, slog.Default())
	return err
}

// Sweep forgets uploads that nobody touched for long.
func Sweep(g *Gateway) { g.uploads.sweep() }

// IsWriting tells whether a request writes to an upload.
func IsWriting(g *Gateway, id string) bool {
	for _, x := range g.uploads.all() {
		x.mu.Lock()
		writing := x.id == id && x.writer != nil
		x.mu.Unlock()
		if writing {
			return true
		}
	}
	return false
}
