package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/lock"
)

const (
	// maxEntries is the longest list of sealed halves that is read: one for each of 64 versions.
	maxEntries = 128 << 10
	// halfSize is what the report of a half that was handed over counts, in bytes.
	halfSize = 32
)

// serveEmergencyHalf hands the requester of an emergency that this hospital approved the owner's halves that the hospital's emergency
// vault opens. The hospital's own node says whether it is due, and what is handed over is written down first, as a reading is.
func (g *Gateway) serveEmergencyHalf(w http.ResponseWriter, r *http.Request, c caller) error {
	h, err := g.home(r.Context())
	if err != nil {
		return err
	}
	if !c.is(roleClinician) || !h.active {
		return notFound()
	}
	sealed, err := readBody(w, r, maxEntries)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.config.Limits.QueryTime+g.config.Limits.FetchTime)
	defer cancel()
	id := r.PathValue("emergency")
	capsule, err := g.config.Capsules.EmergencyHalf(ctx, id, c.address, h.number, sealed, g.config.Now().Unix(), func(ctx context.Context, id lock.CID) ([]byte, error) {
		return g.block(ctx, id, maxSmallBlock)
	})
	switch code := status.Code(err); {
	case err == nil:
	case code == codes.NotFound:
		return notFound()
	case code == codes.InvalidArgument:
		return refuse(http.StatusUnprocessableEntity, "%s", status.Convert(err).Message())
	case code == codes.Unavailable:
		return unavailable(err, "other hospitals do not say that this one's node is at the head of the network")
	case errors.Is(err, errUnavailable):
		return unavailable(err, "no hospital within reach has a block of the unlock")
	default:
		return err
	}
	if err := g.reportHalves(ctx, c, id); err != nil {
		return claimFault(err)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(capsule)))
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(capsule)
	return err
}

// reportHalves writes down that halves of all versions of an emergency are handed over.
func (g *Gateway) reportHalves(ctx context.Context, c caller, emergency string) error {
	got, err := accessv1.NewQueryClient(g.config.Chain).Unlock(ctx, &accessv1.QueryUnlockRequest{Id: emergency})
	if err != nil {
		return err
	}
	for _, v := range got.GetUnlock().GetVersions() {
		what := read{reader: c.address, record: v.GetRecord(), version: v.GetVersion(), unlock: emergency}
		claimed, err := g.reports.claim(ctx, what, part{length: halfSize})
		if err != nil {
			return fmt.Errorf("report a half: %w", err)
		}
		claimed.settle(halfSize)
	}
	return nil
}
