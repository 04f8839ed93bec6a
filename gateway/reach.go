package gateway

import (
	"context"
	"net/http"
	"strconv"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/node"
)

// A Reacher calls the ports of a member's own server, at the addresses that stand on the chain
// and no others; it is a *node.Reacher.
type Reacher interface {
	// Reach returns what came of each port.
	Reach(ctx context.Context, member uint64) ([]node.Reached, error)
}

// reachBody is the body of /reach.
type reachBody struct {
	Reached []node.Reached `json:"reached"`
}

// serveReach calls the servers of the hospital whose admin asks, so that it learns whether
// others reach it. Nobody can have anything else called.
func (g *Gateway) serveReach(w http.ResponseWriter, r *http.Request, c caller) error {
	if !c.is(consortiumv1.Role_ROLE_ADMIN) {
		return refuse(http.StatusForbidden, "only admins of a hospital may have it called")
	}
	if wait := g.reaches.take(strconv.FormatUint(c.hospital, 10), 1); wait > 0 {
		return tooMany(wait)
	}
	reached, err := g.config.Reacher.Reach(r.Context(), c.hospital)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, reachBody{Reached: reached})
}
