package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	// maxSmallBlock is the size of a block that travels by itself: a request key, a capsule,
	// a vault.
	maxSmallBlock = 64 << 10
	// putMemory is how long the gateway knows who put a block here.
	putMemory = 24 * time.Hour
	// maxPutKnown is of how many blocks it knows that.
	maxPutKnown = 1 << 16
)

// errUnavailable says that neither this hospital nor one within reach has a block.
var errUnavailable = errors.New("no hospital within reach has the block")

// putBlocks are the blocks that accounts put here lately.
type putBlocks struct {
	mu sync.Mutex
	by map[putBlock]time.Time
}

type putBlock struct {
	cid     lock.CID
	address string
}

func (p *putBlocks) add(b putBlock, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[putBlock]time.Time{}
	}
	if len(p.by) >= maxPutKnown {
		for key, at := range p.by {
			if now.Sub(at) >= putMemory {
				delete(p.by, key)
			}
		}
	}
	if len(p.by) < maxPutKnown {
		p.by[b] = now
	}
}

func (p *putBlocks) has(b putBlock, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.by[b]
	return ok && now.Sub(at) < putMemory
}

// pathCID reads the CID of a path; what is none is as good as unknown.
func pathCID(r *http.Request) (lock.CID, error) {
	c, err := lock.ParseCID(r.PathValue("cid"))
	if err != nil {
		return c, notFound()
	}
	return c, nil
}

// servePutBlock stores one small block.
func (g *Gateway) servePutBlock(w http.ResponseWriter, r *http.Request, c caller) error {
	id, err := lock.ParseRawCID(r.PathValue("cid"))
	if err != nil {
		return refuse(http.StatusBadRequest, "the path does not end in the CID of a raw block")
	}
	block, err := readBody(w, r, maxSmallBlock)
	if err != nil {
		return err
	}
	if len(block) == 0 {
		return refuse(http.StatusBadRequest, "the block is empty")
	}
	if lock.RawCID(sha256.Sum256(block)) != id {
		return refuse(http.StatusUnprocessableEntity, "the block is not the one that the CID names")
	}
	if wait := g.accountBlocks.take(c.address, len(block)); wait > 0 {
		return tooMany(wait)
	}
	if err := g.putBlock(r.Context(), id, block); err != nil {
		return storeFault(err)
	}
	g.put.add(putBlock{cid: id, address: c.address}, g.config.Now())
	w.Header().Set("Location", "/blocks/"+id.String())
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (g *Gateway) putBlock(ctx context.Context, id lock.CID, block []byte) error {
	batch, err := g.config.Store.Begin(ctx, blob.Hint{Size: uint64(len(block))})
	if err != nil {
		return err
	}
	return errors.Join(putOne(ctx, batch, id, block), batch.Close())
}

func putOne(ctx context.Context, batch blob.Batch, id lock.CID, block []byte) error {
	// A block that was there already may have been erased before the Sync: then again.
	for again := true; ; again = false {
		if err := batch.PutTrusted(id, block); err != nil {
			return err
		}
		if err := batch.Sync(ctx); err == nil || !again || !errors.Is(err, blob.ErrNotFound) {
			return err
		}
	}
}

// storeFault tells a caller what became of a write.
func storeFault(err error) error {
	switch {
	case errors.Is(err, blob.ErrFull):
		return &fault{status: http.StatusInsufficientStorage, detail: "the hospital's disk is full", retry: time.Minute, cause: err}
	case errors.Is(err, blob.ErrErased):
		return refuse(http.StatusGone, "the block was erased")
	case errors.Is(err, blob.ErrFailed), errors.Is(err, blob.ErrClosed):
		return unavailable(err, "the hospital's store takes no writes now")
	}
	return err
}

// serveGetBlock sends one small block to whom it concerns.
func (g *Gateway) serveGetBlock(w http.ResponseWriter, r *http.Request, c caller) error {
	id, err := pathCID(r)
	if err != nil {
		return err
	}
	concerned, err := g.concerns(r.Context(), c, id)
	if unlock := r.URL.Query().Get("unlock"); err == nil && !concerned && unlock != "" {
		concerned, err = g.isApproved(r.Context(), c, unlock, id)
	}
	if version := r.URL.Query().Get("version"); err == nil && !concerned && version != "" {
		concerned, err = g.isOwned(r.Context(), c, version, id)
	}
	if recovery := r.URL.Query().Get("recovery"); err == nil && !concerned && recovery != "" {
		concerned, err = g.isOfRecovery(r.Context(), c, recovery, id)
	}
	if guarded := r.URL.Query().Get("guarded"); err == nil && !concerned && guarded != "" {
		concerned, err = g.isShares(r.Context(), c, guarded, id)
	}
	if err != nil {
		return err
	}
	if !concerned || !id.IsRaw() {
		return notFound()
	}
	block, err := g.block(r.Context(), id, maxSmallBlock)
	if errors.Is(err, errUnavailable) {
		return refuse(http.StatusNotFound, "no hospital within reach has the block")
	}
	if err != nil {
		return err
	}
	return sendBlock(w, r, id, block)
}

func sendBlock(w http.ResponseWriter, r *http.Request, id lock.CID, block []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/vnd.ipld.raw")
	h.Set("Content-Length", strconv.Itoa(len(block)))
	h.Set("ETag", `"`+id.String()+`"`)
	h.Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(block)
	return err
}

// concerns tells whether a block is the caller's business: put here by the caller, the
// caller's own vault, or the request key or the capsule of an unlock that the caller takes
// part in. Any other block stays closed, so that ciphertext of records goes out only by the
// routes that report it.
func (g *Gateway) concerns(ctx context.Context, c caller, id lock.CID) (bool, error) {
	if g.put.has(putBlock{cid: id, address: c.address}, g.config.Now()) {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	concerned, err := g.concernsByChain(ctx, c, id.String())
	if err != nil {
		return false, unavailable(err, "the node does not answer")
	}
	return concerned, nil
}

func (g *Gateway) concernsByChain(ctx context.Context, c caller, id string) (bool, error) {
	lists := []*accessv1.QueryUnlocksRequest{{Requester: c.address}}
	if c.isPatient() && c.patient != "" {
		got, err := recordsv1.NewQueryClient(g.config.Chain).Patient(ctx, &recordsv1.QueryPatientRequest{Id: c.patient})
		if err != nil && status.Code(err) != codes.NotFound {
			return false, fmt.Errorf("read patient: %w", err)
		}
		if got.GetPatient().GetVault().GetBlob() == id {
			return true, nil
		}
		lists = append(lists, &accessv1.QueryUnlocksRequest{Patient: c.patient})
	}
	if c.is(roleOfficer, roleClinician) && c.hospital != 0 {
		lists = append(lists, &accessv1.QueryUnlocksRequest{Custodian: c.hospital})
	}
	for _, list := range lists {
		found, err := g.scope.anyUnlock(ctx, list, func(u *accessv1.Unlock) bool {
			return u.GetRequestKey() == id || u.GetApproval().GetCapsule() == id
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// isApproved tells whether a block is the envelope of a version in an unlock that the caller may
// approve: an owner opens its half of the key there, and so does who asked, once officers have
// endorsed, where the owner's consent was sealed into it. Without the network's half an envelope
// opens nothing, so this is no reading of a record.
func (g *Gateway) isApproved(ctx context.Context, c caller, unlock string, id lock.CID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	got, err := accessv1.NewQueryClient(g.config.Chain).Unlock(ctx, &accessv1.QueryUnlockRequest{Id: unlock})
	if code := status.Code(err); code == codes.NotFound || code == codes.InvalidArgument {
		return false, nil
	}
	if err != nil {
		return false, unavailable(err, "the node does not answer")
	}
	u := got.GetUnlock()
	if !c.actsFor(u.GetPatient(), u.GetCustodian()) && !isEndorsedFor(c, got) {
		return false, nil
	}
	for _, v := range u.GetVersions() {
		version, err := recordsv1.NewQueryClient(g.config.Chain).Version(ctx, &recordsv1.QueryVersionRequest{Record: v.GetRecord(), Version: v.GetVersion()})
		if err != nil {
			return false, unavailable(err, "the node does not answer")
		}
		if version.GetVersion().GetEnvelope() == id.String() && version.GetVersion().GetTombstone() == nil {
			return true, nil
		}
	}
	return false, nil
}

// actsFor tells whether the caller acts for the owner of what a patient owns, or where that is
// empty the custodian: the patient, or an officer of that hospital.
func (c caller) actsFor(patient string, custodian uint64) bool {
	if patient == "" {
		return c.is(roleOfficer) && c.hospital != 0 && custodian == c.hospital
	}
	return c.owns(patient)
}

// isOwned tells whether a block is the envelope of a version that the caller owns, "<record id>/<version>", or the one that waits for its
// confirmation: an owner seals it anew. As with isApproved, this is no reading of a record.
func (g *Gateway) isOwned(ctx context.Context, c caller, ref string, id lock.CID) (bool, error) {
	record, number, _ := strings.Cut(ref, "/")
	version, err := strconv.ParseUint(number, 10, 63)
	if err != nil || version == 0 {
		return false, nil // what names no version is as good as unknown
	}
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	got, err := recordsv1.NewQueryClient(g.config.Chain).Version(ctx, &recordsv1.QueryVersionRequest{Record: record, Version: version})
	if code := status.Code(err); code == codes.NotFound || code == codes.InvalidArgument {
		return false, nil
	}
	if err != nil {
		return false, unavailable(err, "the node does not answer")
	}
	v := got.GetVersion()
	isEnvelope := v.GetEnvelope() == id.String() || v.GetRelock().GetEnvelope() == id.String()
	return isEnvelope && v.GetTombstone() == nil && c.actsFor(v.GetHeader().GetPatient(), v.GetHeader().GetCustodian()), nil
}

// isEndorsedFor tells whether the caller asked for an unlock as a clinician, and it has all
// endorsements and has not ended.
func isEndorsedFor(c caller, u *accessv1.QueryUnlockResponse) bool {
	switch u.GetStatus() {
	case accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED, accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED, accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED:
		return c.is(roleClinician) && u.GetUnlock().GetRequester() == c.address
	default:
		return false
	}
}

// block returns a block from the store, else from another hospital. It was hashed. The error
// is errUnavailable where nobody within reach has it.
func (g *Gateway) block(ctx context.Context, id lock.CID, maxSize int) ([]byte, error) {
	block, err := g.config.Store.Get(ctx, id)
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt) {
		block, err = g.fetch(ctx, id, maxSize)
	}
	if err != nil {
		return nil, err
	}
	if len(block) > maxSize {
		return nil, fmt.Errorf("block %s has %d bytes, at most %d are sent: %w", id, len(block), maxSize, errUnavailable)
	}
	return block, nil
}

func (g *Gateway) fetch(ctx context.Context, id lock.CID, maxSize int) ([]byte, error) {
	if g.config.Fetcher == nil {
		return nil, fmt.Errorf("block %s: %w", id, errUnavailable)
	}
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.FetchTime)
	defer cancel()
	block, err := g.config.Fetcher.Block(ctx, id, maxSize)
	if err != nil {
		return nil, fmt.Errorf("block %s: %w: %w", id, errUnavailable, err)
	}
	if !blob.Matches(id, block) {
		return nil, fmt.Errorf("block %s: another hospital sent other bytes: %w", id, errUnavailable)
	}
	return block, nil
}
