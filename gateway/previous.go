package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// serveUploadPrevious gives an upload the leaves of an earlier version that are here, so that the
// stream need not carry those that the new version names too. They count as blocks of the upload:
// nothing collects them while it is known, and what its uploader commits finds them.
//
// The version is of this hospital's custody and not erased; whose leaves a clerk of the custodian
// names is no secret from that clerk, and that the new version is of the same record is for the
// chain to check. Nothing of them is sent: whoever wants to read the version reads it there,
// where reads are written down.
func (g *Gateway) serveUploadPrevious(w http.ResponseWriter, r *http.Request, c caller) error {
	x, err := g.uploads.find(r.PathValue("id"), c.address)
	if err != nil {
		return err
	}
	if !c.is(roleClerk) {
		return refuse(http.StatusForbidden, "only clerks upload")
	}
	fields, err := readFields(w, r, "record", "version")
	if err != nil {
		return err
	}
	object, size, err := g.previous(r.Context(), c, fields["record"], fields["version"])
	if err != nil {
		return err
	}
	if size > g.config.Limits.UploadBytes {
		return refuse(http.StatusRequestEntityTooLarge, "a version of more than %d bytes is sent whole", g.config.Limits.UploadBytes)
	}
	tree, err := blob.ReadTree(r.Context(), g.config.Store, object, blob.Budget(size))
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt) {
		return &fault{status: http.StatusConflict, detail: "this hospital does not hold that version", hint: "send the whole file", cause: err}
	}
	if err != nil {
		return readFault(err)
	}
	release, err := x.acquire(r.Context(), func() {})
	if err != nil {
		return err
	}
	defer release()
	if err := g.share(r.Context(), x, tree.Leaves); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// previous is the object of a version that a clerk may name leaves of, and its padded size.
func (g *Gateway) previous(ctx context.Context, c caller, record, number string) (lock.CID, uint64, error) {
	h, err := g.home(ctx)
	if err != nil {
		return lock.CID{}, 0, err
	}
	if _, err := lock.ParseCanonicalID(record); err != nil {
		return lock.CID{}, 0, notFound()
	}
	version, err := strconv.ParseUint(number, 10, 63)
	if err != nil || version == 0 || strconv.FormatUint(version, 10) != number {
		return lock.CID{}, 0, notFound()
	}
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	got, err := recordsv1.NewQueryClient(g.config.Chain).Version(ctx, &recordsv1.QueryVersionRequest{Record: record, Version: version})
	if status.Code(err) == codes.NotFound {
		return lock.CID{}, 0, notFound()
	}
	if err != nil {
		return lock.CID{}, 0, unavailable(err, "the node does not answer")
	}
	v := got.GetVersion()
	switch custodian := v.GetHeader().GetCustodian(); {
	case custodian != h.number || !c.of(custodian):
		return lock.CID{}, 0, notFound()
	case v.GetTombstone() != nil:
		return lock.CID{}, 0, refuse(http.StatusGone, "this version was erased")
	}
	object, err := lock.ParseDagCID(v.GetObject())
	if err != nil {
		return lock.CID{}, 0, fmt.Errorf("version %d of record %s: %w", version, record, err)
	}
	return object, v.GetSize(), nil
}

// share gives an upload those of the leaves that the store holds. They are touched before they
// are named, so that a collection that is under way leaves them.
func (g *Gateway) share(ctx context.Context, x *upload, leaves []blob.Leaf) error {
	var held []stored
	for _, l := range leaves {
		if x.holds(l.CID) || x.shares(l.CID) {
			continue
		}
		here, err := g.config.Store.Touch(ctx, l.CID)
		if err != nil {
			return storeFault(err)
		}
		if here {
			held = append(held, stored{cid: l.CID})
		}
	}
	if most := fewBlocks + g.config.Limits.UploadBytes/blob.MaxBlock; x.shared()+uint64(len(held)) > most {
		return refuse(http.StatusRequestEntityTooLarge, "an upload shares at most %d blocks", most)
	}
	return x.acknowledge(held, g.config.Now())
}
