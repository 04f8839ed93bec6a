package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
	"time"
)

// requestHeader names a request, in it and in its answer, so that what a person's program, a
// proxy and this gateway wrote of it can be brought together.
const requestHeader = "X-Request-Id"

// requestName is a name that may go into a log as it is.
var requestName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

type requestKey struct{}

// named gives a request the name that it came with, or one of its own where it came with none
// that may be used.
func named(w http.ResponseWriter, r *http.Request) *http.Request {
	values := r.Header.Values(requestHeader)
	var name string
	if len(values) == 1 && requestName.MatchString(values[0]) {
		name = values[0]
	} else {
		var b [16]byte
		rand.Read(b[:])
		name = hex.EncodeToString(b[:])
	}
	w.Header().Set(requestHeader, name)
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, name))
}

// requestOf is the name of the request that a context belongs to; empty outside of one.
func requestOf(ctx context.Context) string {
	name, ok := ctx.Value(requestKey{}).(string)
	if !ok {
		return ""
	}
	return name
}

// logRequest tells of a request that has ended: what it asked for as a template, never for what
// or by whom.
func (g *Gateway) logRequest(r *http.Request, route string, code int, took time.Duration) {
	g.config.Log.Debug("request", "request", requestOf(r.Context()), "method", methodLabel(r.Method), "route", route, "code", code,
		"took", took.Round(time.Microsecond))
}
