package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
)

// Capsules opens with the hospital's vault what patients consented that clinicians of this hospital may open, and what the hospital itself owns.
type Capsules interface {
	// Capsule seals the owner's halves of an unlock's versions to the one-time key of its requester, an account of a clinician of the
	// hospital. block gets a small block. The error is a status: NotFound where nothing is due to that account, FailedPrecondition
	// where a version is not sealed to the hospital's vault, Unavailable where other hospitals do not vouch for what the node says.
	Capsule(ctx context.Context, unlock, requester string, hospital uint64, block func(context.Context, lock.CID) ([]byte, error)) ([]byte, error)
	// OwnCapsule is the same for an officer who is about to approve an unlock of records that the hospital itself owns, and did not endorse it.
	OwnCapsule(ctx context.Context, unlock, officer string, hospital uint64, block func(context.Context, lock.CID) ([]byte, error)) ([]byte, error)
	// EmergencyHalf seals the owner's halves of an emergency's versions, which are given as the box has them for the hospital's emergency
	// vault, to the one-time key of its requester; now is in unix seconds. The error is a status: NotFound where nothing is due to that
	// account from this hospital, InvalidArgument where what is given is none of the versions', Unavailable where other hospitals do
	// not vouch for what the node says.
	EmergencyHalf(
		ctx context.Context, emergency, requester string, hospital uint64, sealed []byte, now int64, block func(context.Context, lock.CID) ([]byte, error),
	) ([]byte, error)
}

// serveCapsule hands a clinician the owner's halves that a consent to the hospital or to a ward had sealed to the hospital's vault. That the consent
// was used stands in the log since the unlock was approved by it; without the network's half, which only the clinician's program
// can put together, a capsule opens nothing. To an officer it hands those of records that the hospital owns, whose approval then names the capsule.
func (g *Gateway) serveCapsule(w http.ResponseWriter, r *http.Request, c caller) error {
	h, err := g.home(r.Context())
	if err != nil {
		return err
	}
	if !c.is(roleClinician) && !c.is(roleOfficer) || !c.of(h.number) {
		return notFound()
	}
	capsuleFor := g.config.Capsules.Capsule
	if c.is(roleOfficer) {
		capsuleFor = g.config.Capsules.OwnCapsule
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.config.Limits.QueryTime+g.config.Limits.FetchTime)
	defer cancel()
	capsule, err := capsuleFor(ctx, r.PathValue("unlock"), c.address, h.number, func(ctx context.Context, id lock.CID) ([]byte, error) {
		return g.block(ctx, id, maxSmallBlock)
	})
	switch code := status.Code(err); {
	case err == nil:
	case code == codes.NotFound:
		return notFound()
	case code == codes.FailedPrecondition:
		return refuse(http.StatusConflict, "%s", status.Convert(err).Message())
	case code == codes.Unavailable:
		return unavailable(err, "other hospitals do not say that this one's node is at the head of the network")
	case errors.Is(err, errUnavailable):
		return unavailable(err, "no hospital within reach has a block of the unlock")
	default:
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(capsule)))
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(capsule)
	return err
}
