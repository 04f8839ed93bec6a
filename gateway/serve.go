package gateway

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// maxTarget is the length of a request's path and query.
	maxTarget = 8 << 10
	// maxParameters is how many parameters a query has.
	maxParameters = 64
)

// A handler answers a request or returns why it does not.
type handler func(w http.ResponseWriter, r *http.Request) error

// open serves without a login.
func (g *Gateway) open(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.run(w, r, h) })
}

// loggedIn serves who has logged in.
func (g *Gateway) loggedIn(h func(w http.ResponseWriter, r *http.Request, c caller) error) http.Handler {
	return g.open(func(w http.ResponseWriter, r *http.Request) error {
		c := callerOf(r.Context())
		if c.isNobody() {
			return loginNeeded()
		}
		return h(w, r, c)
	})
}

// limited serves as many requests of one address as a rate allows.
func (g *Gateway) limited(b *buckets, h handler) http.Handler {
	return g.open(func(w http.ResponseWriter, r *http.Request) error {
		if wait := b.take(g.from(r), 1); wait > 0 {
			return tooMany(wait)
		}
		return h(w, r)
	})
}

// run calls a handler and writes what it returns.
func (g *Gateway) run(w http.ResponseWriter, r *http.Request, h handler) {
	t := &trackedWriter{ResponseWriter: w}
	err := h(t, r)
	if err == nil {
		return
	}
	f := faultOf(err)
	switch {
	case f.cause == nil || r.Context().Err() != nil:
	case f.status == http.StatusServiceUnavailable:
		// A node that is not ready says so at /readyz, and clients ask again and again.
		g.config.Log.Debug("request can't be answered now", "request", requestOf(r.Context()), "method", r.Method, "route", r.Pattern, "error", f)
	case f.status >= http.StatusInternalServerError:
		g.config.Log.Error("request failed", "request", requestOf(r.Context()), "method", r.Method, "route", r.Pattern, "error", f)
	}
	if t.begun {
		// Half an answer must not look like a whole one.
		panic(http.ErrAbortHandler)
	}
	if err := f.write(w); err != nil {
		g.config.Log.Debug("answer was not taken", "route", r.Pattern, "error", err)
	}
}

// trackedWriter knows whether the answer has begun.
type trackedWriter struct {
	http.ResponseWriter
	begun bool
}

// Unwrap is for http.ResponseController.
func (t *trackedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (t *trackedWriter) WriteHeader(status int) {
	t.begun = t.begun || status >= http.StatusOK
	t.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (t *trackedWriter) Write(b []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(b)
}

// ServeHTTP names a request and counts it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	isRPC := r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
	route := routeRPC
	if !isRPC {
		_, pattern := g.routes.Handler(r)
		route = routeLabel(pattern)
	}
	w, r, done := g.measure(w, named(w, r), route)
	defer done()
	g.serve(w, r, isRPC)
}

// serve does what comes before every route: headers, time limits, CORS, sizes, rates and the
// login.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, isRPC bool) {
	if isRPC {
		// The gRPC server logs in by itself, so that it answers in its own way.
		if wait := g.countAnonymous(r); wait > 0 {
			g.run(w, r, func(http.ResponseWriter, *http.Request) error { return tooMany(wait) })
			return
		}
		g.setDeadlines(w)
		g.rpc.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	g.setDeadlines(w)
	if g.cors(w, r) {
		return
	}
	c, err := g.admit(r)
	if err != nil {
		g.run(w, r, func(http.ResponseWriter, *http.Request) error { return err })
		return
	}
	r = r.WithContext(withCaller(r.Context(), c))
	route, pattern := g.routes.Handler(r)
	if pattern == "" {
		g.run(w, r, noRoute(route))
		return
	}
	// Again through the mux, which sets the values of the path.
	g.routes.ServeHTTP(w, r)
}

// admit checks what can be checked before a route is known, and who asks.
func (g *Gateway) admit(r *http.Request) (caller, error) {
	if wait := g.countAnonymous(r); wait > 0 {
		return caller{}, tooMany(wait)
	}
	if len(r.RequestURI) > maxTarget {
		return caller{}, refuse(http.StatusRequestURITooLong, "path and query have more than %d bytes", maxTarget)
	}
	if strings.Count(r.URL.RawQuery, "&") >= maxParameters || strings.Contains(r.URL.RawQuery, ";") {
		return caller{}, refuse(http.StatusBadRequest, "the query has more than %d parameters, or a semicolon", maxParameters)
	}
	values := r.Header.Values("Authorization")
	if len(values) > 1 {
		return caller{}, refuse(http.StatusBadRequest, "more than one Authorization header")
	}
	c, err := g.authenticate(r.Context(), r.Header.Get("Authorization"))
	if err != nil && faultOf(err).status == http.StatusUnauthorized {
		if wait := g.requests.take(g.from(r), 1); wait > 0 {
			return caller{}, tooMany(wait)
		}
	}
	return c, err
}

// countAnonymous counts a request without a login.
func (g *Gateway) countAnonymous(r *http.Request) (wait time.Duration) {
	if r.Header.Get("Authorization") != "" {
		return 0
	}
	return g.requests.take(g.from(r), 1)
}

// setDeadlines bounds a request that neither uploads nor downloads much; these set their own
// limits as they go.
func (g *Gateway) setDeadlines(w http.ResponseWriter) {
	now, rc := time.Now(), http.NewResponseController(w)
	l := g.config.Limits
	err := errors.Join(rc.SetReadDeadline(now.Add(l.Stall)), rc.SetWriteDeadline(now.Add(l.Stall+l.WriteTime+l.FetchTime)))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		g.config.Log.Debug("connection takes no time limit", "error", err)
	}
}

// noRoute tells in a problem document what the mux says of a request that no route takes.
func noRoute(route http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		said := &discarded{header: http.Header{}}
		route.ServeHTTP(said, r)
		for _, name := range []string{"Allow", "Location"} {
			if v := said.header.Get(name); v != "" {
				w.Header().Set(name, v)
			}
		}
		if said.status < http.StatusBadRequest {
			w.WriteHeader(said.status)
			return nil
		}
		return refuse(said.status, "no such route, or not with this method")
	}
}

// discarded keeps the header and the status of an answer.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) WriteHeader(status int)      { d.status = status }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
