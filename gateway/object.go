package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/cache"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

const (
	// carType is the media type of a CAR.
	carType = "application/vnd.ipld.car"
	// carForm is what an object is sent as: depth first, no block twice.
	carForm = carType + "; version=1; order=dfs; dups=n"
)

// An object is ciphertext that the chain knows and that was not erased.
type object struct {
	root     lock.CID
	attached []lock.CID
	budget   uint64
	version  *recordsv1.Version
}

// mayMove admits the administrators of this hospital, who could also copy its disk.
func (g *Gateway) mayMove(ctx context.Context, c caller) error {
	h, err := g.home(ctx)
	if err != nil {
		return err
	}
	if !c.is(roleAdmin) || !c.of(h.number) {
		return refuse(http.StatusForbidden, "only administrators of this hospital move objects")
	}
	if !h.active {
		return unavailable(nil, "this hospital may not take part in the network now")
	}
	return nil
}

// object asks the chain for an object. Errors are faults.
func (g *Gateway) object(ctx context.Context, root lock.CID) (object, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	o := object{root: root}
	version, err := recordsv1.NewQueryClient(g.config.Chain).VersionOf(ctx, &recordsv1.QueryVersionOfRequest{Object: root.String()})
	if status.Code(err) == codes.NotFound {
		return o, refuse(http.StatusNotFound, "the chain knows no such object")
	}
	if err != nil {
		return o, unavailable(err, "the node does not answer")
	}
	if o.version = version.GetVersion(); o.version.GetTombstone() != nil {
		return o, refuse(http.StatusGone, "this object was erased")
	}
	placed, err := storagev1.NewQueryClient(g.config.Chain).Object(ctx, &storagev1.QueryObjectRequest{Cid: root.String()})
	if status.Code(err) == codes.NotFound {
		return o, refuse(http.StatusGone, "this object was erased") // meanwhile
	}
	if err != nil {
		return o, unavailable(err, "the node does not answer")
	}
	for _, text := range placed.GetObject().GetAttached() {
		c, err := lock.ParseRawCID(text)
		if err != nil {
			return o, fmt.Errorf("object %s: attached block %q: %w", root, text, err)
		}
		o.attached = append(o.attached, c)
	}
	o.budget = blob.Budget(placed.GetObject().GetSize())
	return o, nil
}

// wantsCAR checks that the caller takes a CAR of a whole object, as the trustless gateway of
// https://specs.ipfs.tech/http-gateways/trustless-gateway/ lets callers ask for it.
func wantsCAR(r *http.Request) error {
	query := r.URL.Query()
	if scope := query.Get("dag-scope"); scope != "" && scope != "all" || query.Has("entity-bytes") {
		return refuse(http.StatusBadRequest, "only whole objects are sent: dag-scope=all")
	}
	switch format, accept := query.Get("format"), strings.Join(r.Header.Values("Accept"), ","); {
	case format == "car":
		return nil
	case format != "":
		return refuse(http.StatusNotAcceptable, "objects are sent as format=car")
	case accept == "":
		return nil
	default:
		for part := range strings.SplitSeq(accept, ",") {
			kind, parameters, err := mime.ParseMediaType(part)
			version, order := parameters["version"], parameters["order"]
			if err == nil && (kind == "*/*" || kind == "application/*" || kind == carType) &&
				(version == "" || version == "1") && (order == "" || order == "dfs" || order == "unk") {
				return nil
			}
		}
		return refuse(http.StatusNotAcceptable, "objects are sent as %s", carForm)
	}
}

// serveGetObject sends an object as a CAR whose root is the object; with attached=true the blocks
// that belong to it follow, as further roots. To the chain it is a reading of the whole version.
func (g *Gateway) serveGetObject(w http.ResponseWriter, r *http.Request, c caller) error {
	root, err := pathCID(r)
	if err != nil {
		return err
	}
	if err := g.mayMove(r.Context(), c); err != nil {
		return err
	}
	if err := wantsCAR(r); err != nil {
		return err
	}
	end, err := g.beginTransfer(c)
	if err != nil {
		return err
	}
	defer end()
	o, err := g.object(r.Context(), root)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("attached") != "true" {
		o.attached = nil
	}
	kept := g.config.Cache.Open(root)
	defer kept.Close()
	tree, err := g.tree(r.Context(), kept, root, o.budget)
	if err != nil {
		return readFault(err)
	}
	h := w.Header()
	h.Set("Content-Type", carForm)
	h.Set("Content-Disposition", `attachment; filename="`+root.String()+`.car"`)
	h.Set("ETag", `W/"`+root.String()+`.car"`)
	h.Set("Cache-Control", "no-store")
	h.Set("Accept-Ranges", "none")
	h.Set("Vary", "Accept")
	if r.Method == http.MethodHead {
		return nil
	}
	what := read{reader: c.address, record: o.version.GetRecord(), version: o.version.GetVersion()}
	claimed, err := g.reports.claim(r.Context(), what, part{content: true, length: tree.tree.Bytes})
	if err != nil {
		return claimFault(err)
	}
	out := &contentWriter{ResponseWriter: w, rc: http.NewResponseController(w), stall: g.config.Limits.Stall}
	e := &export{g: g, out: out, kept: kept, leaves: leafReader{g: g, ctx: r.Context(), kept: kept, tree: tree}}
	defer e.leaves.close()
	defer func() { claimed.settle(min(e.sent, tree.tree.Bytes)) }()
	return readFault(e.write(r.Context(), o))
}

// export is an object on its way out.
type export struct {
	g      *Gateway
	out    io.Writer
	kept   *cache.Object
	leaves leafReader
	stream *car.Writer
	place  int    // of the next leaf
	sent   uint64 // bytes of blocks
}

func (e *export) write(ctx context.Context, o object) error {
	// Nothing is sent before the first block is there, so that the answer can still be another.
	first, err := e.g.objectBlock(ctx, e.kept, o.root)
	if err != nil {
		return err
	}
	if e.stream, err = car.NewObjectWriter(e.out, o.root, o.attached...); err != nil {
		return err
	}
	if err := e.node(ctx, o.root, first); err != nil {
		return err
	}
	for _, c := range o.attached {
		block, err := e.g.objectBlock(ctx, e.kept, c)
		if err != nil {
			return err
		}
		if err := e.put(c, block); err != nil {
			return err
		}
	}
	return nil
}

// node sends an inner node and what is below it.
func (e *export) node(ctx context.Context, c lock.CID, block []byte) error {
	if err := e.put(c, block); err != nil {
		return err
	}
	links, err := blob.ParseNode(block)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.CID.IsDag() {
			below, err := e.g.objectBlock(ctx, e.kept, l.CID)
			if err == nil {
				err = e.node(ctx, l.CID, below)
			}
			if err != nil {
				return err
			}
			continue
		}
		leaf, err := e.leaves.get(e.place, len(e.leaves.tree.tree.Leaves)-1)
		if err != nil {
			return err
		}
		e.place++
		if err := e.put(l.CID, leaf); err != nil {
			return err
		}
	}
	return nil
}

func (e *export) put(c lock.CID, block []byte) error {
	if err := e.stream.Put(c, block); err != nil {
		return err
	}
	e.sent += uint64(len(block))
	return nil
}

// servePostObject takes an object that comes as a CAR, such as one that travelled on a disk. It
// becomes part of the hospital's store. A copy that the chain assigned to this hospital is then
// confirmed without the network; what nobody names is collected like any other block.
func (g *Gateway) servePostObject(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := g.mayMove(r.Context(), c); err != nil {
		return err
	}
	if err := checkType(r, carType); err != nil {
		return err
	}
	end, err := g.beginTransfer(c)
	if err != nil {
		return err
	}
	defer end()
	x := &incoming{g: g, ctx: r.Context(), by: c.address}
	err = x.store(newUploadBody(r.Context(), w, r.Body, g.config.Limits.Stall))
	if err != nil {
		return err
	}
	blocks, bytes := x.arrival.Came()
	g.config.Log.Info("an object was brought in", "object", x.object.root, "blocks", blocks, "bytes", bytes, "by", c.address)
	g.config.Brought(x.object.root)
	w.Header().Set("Location", "/objects/"+x.object.root.String())
	return answer(w, http.StatusCreated, map[string]any{"object": x.object.root.String(), "blocks": blocks, "bytes": bytes})
}

// incoming is an object on its way into the store.
type incoming struct {
	g       *Gateway
	ctx     context.Context
	by      string // the account that brings it
	object  object
	arrival *blob.Arrival
	batch   blob.Batch
	unsaved uint64
	asked   time.Time // when the chain was asked last
}

func (x *incoming) store(body io.Reader) (err error) {
	defer func() {
		if x.batch != nil {
			err = errors.Join(err, x.batch.Close())
		}
	}()
	parser := car.NewObjectParser(x.begin, x.put)
	buffer := make([]byte, copyBuffer)
	for {
		n, readErr := body.Read(buffer)
		if _, err := parser.Write(buffer[:n]); err != nil {
			return carFault(err)
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return bodyFault(readErr)
		}
	}
	if err := parser.Close(); err != nil {
		return carFault(err)
	}
	if n := x.arrival.Missing(); n > 0 {
		return refuse(http.StatusUnprocessableEntity, "the CAR ends before %d blocks of the object have come", n)
	}
	if err := x.save(); err != nil {
		return carFault(err)
	}
	if _, err := blob.ReadTree(x.ctx, x.g.config.Store, x.object.root, x.object.budget); err != nil {
		return carFault(err)
	}
	// It may have been erased since, and then what came last is not to be relied on.
	_, err = x.g.object(x.ctx, x.object.root)
	return err
}

// begin asks the chain for the object that the header names.
func (x *incoming) begin(roots []lock.CID) error {
	if !roots[0].IsDag() {
		return refuse(http.StatusUnprocessableEntity, "the first root in the header is not an object")
	}
	var err error
	if x.object, err = x.g.object(x.ctx, roots[0]); err != nil {
		return err
	}
	x.asked = x.g.config.Now()
	belongs := map[lock.CID]bool{}
	for _, c := range x.object.attached {
		belongs[c] = true
	}
	for _, c := range roots[1:] {
		if !belongs[c] {
			return refuse(http.StatusUnprocessableEntity, "root %s in the header does not belong to object %s", c, roots[0])
		}
		delete(belongs, c)
	}
	x.arrival = blob.NewArrival(roots[0], roots[1:], x.object.budget)
	x.batch, err = x.g.config.Store.Begin(x.ctx, blob.Hint{Size: x.object.budget})
	return err
}

// put takes a block that the parser has checked.
func (x *incoming) put(c lock.CID, block []byte) error {
	if err := x.arrival.Take(c, block); err != nil {
		return err
	}
	if err := x.batch.PutTrusted(c, block); err != nil {
		return err
	}
	if x.unsaved += uint64(len(block)); x.unsaved < x.g.config.Limits.CommitBytes && x.g.config.Now().Sub(x.asked) < homeAge {
		return nil
	}
	return x.save()
}

// save makes durable what came, unless the object was erased or the account lost its role
// meanwhile.
func (x *incoming) save() error {
	c, err := x.g.principal(x.ctx, x.by)
	if errors.Is(err, errNobody) {
		return loginNeeded()
	}
	if err == nil {
		err = x.g.mayMove(x.ctx, c)
	}
	if err != nil {
		return err
	}
	if _, err := x.g.object(x.ctx, x.object.root); err != nil {
		return err
	}
	x.asked, x.unsaved = x.g.config.Now(), 0
	return x.batch.Sync(x.ctx)
}

// carFault tells a caller what is wrong with a CAR, or with the store.
func carFault(err error) error {
	var f *fault
	switch {
	case errors.As(err, &f):
		return err
	case errors.Is(err, car.ErrFormat), errors.Is(err, lock.ErrCID), errors.Is(err, blob.ErrTooLarge), errors.Is(err, blob.ErrMismatch),
		errors.Is(err, blob.ErrShape), errors.Is(err, blob.ErrBudget):
		return refuse(http.StatusUnprocessableEntity, "not a CAR of an object: %v", err)
	case isMissing(err):
		return unavailable(err, "the hospital's store shows no blocks yet")
	}
	return storeFault(err)
}
