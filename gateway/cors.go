package gateway

import (
	"context"
	"net/http"
	"slices"
)

const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	corsHeaders = "Authorization, Content-Type, Range, If-Range, If-None-Match, X-Cosmos-Block-Height, X-HTTP-Method-Override, X-Request-Id, Last-Event-ID, " +
		"Tus-Resumable, Upload-Length, Upload-Defer-Length, Upload-Offset, Upload-Metadata, Upload-Checksum"
	corsExposed = "Content-Length, Content-Range, Accept-Ranges, ETag, Location, Retry-After, X-Cosmos-Block-Height, X-Request-Id, " +
		"Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Length, Upload-Offset, Upload-Defer-Length"
)

// isMember tells whether an origin is the gateway of a member, whose pages ask other hospitals' gateways, too: an approval is checked at two of
// them.
func (g *Gateway) isMember(ctx context.Context, origin string) bool {
	host := hostOf(origin)
	if host == "" || g.pages == nil {
		return false
	}
	h, err := g.home(ctx)
	return err == nil && slices.Contains(h.gateways, host)
}

// cors lets pages of the allowed origins and of members' gateways read answers, and no others. It tells whether the
// request was a preflight, which is answered then. Logins are tokens in a header and never
// cookies, so credentials are not allowed to anybody.
func (g *Gateway) cors(w http.ResponseWriter, r *http.Request) (done bool) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	allowed := slices.Contains(g.config.Origins, origin) || g.isMember(r.Context(), origin)
	if allowed {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", corsExposed)
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if allowed {
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}
