package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

const (
	// positionName is the file that says up to where a folder of blocks was erased.
	positionName = "erasures"
	// maxErased is how many blocks, about, are erased at once.
	maxErased = 1 << 18
)

// EraserConfig says what an [Eraser] works with.
type EraserConfig struct {
	// Chain tells what was erased, and takes attestations. Its account is the storage node's.
	Chain Chain
	// Guard is the store from which blocks are erased, and is opened when that is done.
	Guard *Guard
	// Folder is the store's own folder, so that a folder that comes back from a backup brings
	// its position back with it, and all that was erased since is erased again.
	Folder string
	// BackupDays is for how many days backups of the folder are kept.
	BackupDays uint32
	// Log is told what can't be done; slog.Default() if nil.
	Log *slog.Logger
}

// Eraser deletes from this node what the chain says was erased: the blocks of the object that
// no object names which the node is to hold, the blocks beside it, and the request keys and
// capsules of its unlocks. Then it attests. At the start it does so before the store is
// opened to anybody else.
type Eraser struct {
	config  EraserConfig
	storage storagev1.QueryClient
	records recordsv1.QueryClient
	access  accessv1.QueryClient
	self    self

	read bool // whether position was read
	position
	deletedUpTo, attestedUpTo atomic.Uint64 // position, for who looks
}

// position is how far a folder of blocks has come.
type position struct {
	erased   uint64 // all erasures up to this number were carried out
	attested uint64 // and all up to this one were attested
}

// NewEraser returns an Eraser that has not begun.
func NewEraser(config EraserConfig) (*Eraser, error) {
	if config.Chain == nil || config.Guard == nil || config.Folder == "" {
		return nil, errors.New("eraser needs a chain, a store and its folder")
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Eraser{
		config: config, storage: storagev1.NewQueryClient(config.Chain), records: recordsv1.NewQueryClient(config.Chain),
		access: accessv1.NewQueryClient(config.Chain), self: self{chain: config.Chain},
	}, nil
}

// Run erases until ctx ends; then it returns nil. It returns an error when the store has
// failed ([blob.ErrFailed], [blob.ErrClosed]).
func (e *Eraser) Run(ctx context.Context) error {
	erasing, attesting := reporter{log: e.config.Log}, reporter{log: e.config.Log}
	retry, attestAt := firstRetry, time.Now()
	return loop(ctx, e.config.Chain, func(ctx context.Context) (time.Duration, error) {
		err := e.eraseAll(ctx)
		if errors.Is(err, blob.ErrFailed) || errors.Is(err, blob.ErrClosed) {
			return 0, fmt.Errorf("blocks can't be erased: %w", err)
		}
		erasing.changed(ctx, "what was erased can't be deleted", err)
		pause := firstRetry
		if err == nil {
			pause = max(time.Until(attestAt), 0)
		}
		if pause > 0 {
			return pause, nil
		}
		// Who may not write now, as a node whose member is suspended, may later.
		err = e.attestAll(ctx)
		attesting.changed(ctx, "erasures can't be attested", err)
		if err == nil {
			retry = firstRetry
			return 0, nil
		}
		attestAt = time.Now().Add(retry)
		retry = min(2*retry, lastRetry)
		return time.Until(attestAt), nil
	})
}

// eraseAll deletes what was erased since the last time, and opens the store once there is
// nothing left of what happened while the node was away.
func (e *Eraser) eraseAll(ctx context.Context) error {
	if !e.config.Guard.isOpen() {
		// The state of a node that is catching up is old.
		if _, err := e.config.Chain.Ready(ctx); err != nil {
			return err
		}
	}
	if err := e.readPosition(ctx); err != nil {
		return err
	}
	for {
		todo := &deletion{eraser: e, unlocks: map[string][]*accessv1.Unlock{}}
		last, err := todo.collect(ctx, e.erased)
		if err != nil {
			return err
		}
		if last == e.erased {
			e.config.Guard.Open()
			return nil
		}
		if err := todo.carryOut(ctx); err != nil {
			return err
		}
		if err := e.move(position{erased: last, attested: min(e.attested, last)}); err != nil {
			return err
		}
		e.config.Log.Info("deleted what was erased", "erasures", last, "blocks", len(todo.blocks))
	}
}

// attestAll attests what was erased and not attested yet.
func (e *Eraser) attestAll(ctx context.Context) error {
	if e.attested == e.erased {
		return nil
	}
	node, err := e.self.number(ctx)
	if err != nil {
		return err
	}
	for after := e.attested; ; {
		page, err := e.storage.Erasures(ctx, &storagev1.QueryErasuresRequest{After: after, Limit: maxBatch, Node: node})
		if err != nil {
			return fmt.Errorf("list what is to be attested: %w", err)
		}
		var numbers []uint64
		for _, x := range page.GetErasures() {
			if x.GetNumber() <= e.erased {
				numbers = append(numbers, x.GetNumber())
			}
		}
		if err := e.attest(ctx, numbers); err != nil {
			return err
		}
		if after = page.GetNext(); after == 0 || after >= e.erased {
			return e.move(position{erased: e.erased, attested: e.erased})
		}
	}
}

// attest tells the chain that erasures were carried out. A refusal is final: it says that
// the chain does not ask this node.
func (e *Eraser) attest(ctx context.Context, numbers []uint64) error {
	if len(numbers) == 0 {
		return nil
	}
	result, err := e.config.Chain.Submit(ctx, &storagev1.MsgAttestErasures{
		Node: e.config.Chain.Account(), Numbers: numbers, BackupDays: e.config.BackupDays,
	})
	if err != nil {
		return err
	}
	var response storagev1.MsgAttestErasuresResponse
	if err := result.Response(&response); err != nil {
		return err
	}
	for _, r := range response.GetResults() {
		if r.GetOutcome() != auditv1.Outcome_OUTCOME_OK {
			e.config.Log.Warn("attestation was refused", "erasure", r.GetNumber(), "reason", r.GetReason())
		}
	}
	return nil
}

// deletion is what is deleted at once.
type deletion struct {
	eraser  *Eraser
	blocks  []lock.CID
	stays   []lock.CID                    // of versions that share leaves with what was erased
	unlocks map[string][]*accessv1.Unlock // of an owner, as far as they were read
}

// collect reads what was erased behind a number, up to about maxErased blocks, and returns
// the last number.
func (d *deletion) collect(ctx context.Context, after uint64) (last uint64, err error) {
	for last = after; len(d.blocks) < maxErased; {
		page, err := d.eraser.storage.Erasures(ctx, &storagev1.QueryErasuresRequest{After: last, Limit: pageSize})
		if err != nil {
			return 0, fmt.Errorf("list what was erased: %w", err)
		}
		for _, x := range page.GetErasures() {
			if err := d.add(ctx, x); err != nil {
				return 0, fmt.Errorf("erasure %d: %w", x.GetNumber(), err)
			}
			last = x.GetNumber()
		}
		if page.GetNext() == 0 {
			break
		}
	}
	return last, nil
}

// add takes up one erasure.
func (d *deletion) add(ctx context.Context, x *storagev1.Erasure) error {
	root, err := lock.ParseCID(x.GetObject())
	if err != nil {
		return err
	}
	blocks, err := treeOf(ctx, d.eraser.config.Guard.store, root)
	if err != nil {
		return err
	}
	d.blocks = append(d.blocks, blocks...)
	for _, text := range x.GetAttached() {
		c, err := lock.ParseRawCID(text)
		if err != nil {
			return err
		}
		d.blocks = append(d.blocks, c)
	}
	return d.addVersion(ctx, x.GetObject())
}

// addVersion takes up what hangs on the version whose ciphertext the object was.
func (d *deletion) addVersion(ctx context.Context, object string) error {
	got, err := d.eraser.records.VersionOf(ctx, &recordsv1.QueryVersionOfRequest{Object: object})
	if status.Code(err) == codes.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask what it was: %w", err)
	}
	if err := d.addSharers(ctx, got.GetVersion()); err != nil {
		return err
	}
	return d.addUnlocks(ctx, got.GetVersion())
}

// addSharers has the leaves stay that versions of the same record name which are not erased, also
// where this node is not to hold these: it may be the only one that has them yet.
func (d *deletion) addSharers(ctx context.Context, erased *recordsv1.Version) error {
	return Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := d.eraser.records.Versions(ctx, &recordsv1.QueryVersionsRequest{Record: erased.GetRecord(), Pagination: page})
		if err != nil {
			return nil, fmt.Errorf("list the versions of record %s: %w", erased.GetRecord(), err)
		}
		for _, v := range got.GetVersions() {
			if v.GetTombstone() != nil || v.GetSharesWith() == 0 && erased.GetSharesWith() == 0 {
				continue
			}
			root, err := lock.ParseCID(v.GetObject())
			if err != nil {
				return nil, err
			}
			blocks, err := treeOf(ctx, d.eraser.config.Guard.store, root)
			if err != nil {
				return nil, err
			}
			d.stays = append(d.stays, blocks...)
		}
		return got.GetPagination(), nil
	})
}

// addUnlocks takes up the request keys and capsules of all unlocks that named a version.
func (d *deletion) addUnlocks(ctx context.Context, v *recordsv1.Version) error {
	unlocks, err := d.unlocksOf(ctx, v.GetHeader())
	if err != nil {
		return err
	}
	for _, u := range unlocks {
		named := false
		for _, n := range u.GetVersions() {
			named = named || n.GetRecord() == v.GetRecord() && n.GetVersion() == v.GetVersion()
		}
		if !named {
			continue
		}
		if err := d.addKey(ctx, u.GetRequestKey()); err != nil {
			return err
		}
		if text := u.GetApproval().GetCapsule(); text != "" {
			c, err := lock.ParseRawCID(text)
			if err != nil {
				return err
			}
			d.blocks = append(d.blocks, c)
		}
	}
	return nil
}

// addKey takes up a request key where the block is one: who asks names its CID, and the
// chain does not see the block.
func (d *deletion) addKey(ctx context.Context, text string) error {
	c, err := lock.ParseRawCID(text)
	if err != nil {
		return err
	}
	block, err := d.eraser.config.Guard.store.Get(ctx, c)
	if isLost(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := lock.ParsePublicKey(block); err == nil {
		d.blocks = append(d.blocks, c)
	}
	return nil
}

// unlocksOf are all unlocks of an owner's records.
func (d *deletion) unlocksOf(ctx context.Context, h *recordsv1.Header) ([]*accessv1.Unlock, error) {
	filter := &accessv1.QueryUnlocksRequest{Patient: h.GetPatient()}
	owner := h.GetPatient()
	if owner == "" {
		filter.Custodian = h.GetCustodian()
		owner = fmt.Sprint(h.GetCustodian())
	}
	if known, ok := d.unlocks[owner]; ok {
		return known, nil
	}
	list := []*accessv1.Unlock{}
	err := Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		filter.Pagination = page
		got, err := d.eraser.access.Unlocks(ctx, filter)
		for _, u := range got.GetUnlocks() {
			list = append(list, u.GetUnlock())
		}
		return got.GetPagination(), err
	})
	if err != nil {
		return nil, fmt.Errorf("list unlocks: %w", err)
	}
	d.unlocks[owner] = list
	return list, nil
}

// carryOut deletes the blocks, save those that another version of the record shares, and those
// that an object names which the node is to hold. Only versions of one record share blocks that
// were sealed as they should be, but what an object names is up to who stored it: nobody may have
// another one's ciphertext deleted by naming it.
func (d *deletion) carryOut(ctx context.Context) error {
	kept := make(map[lock.CID]bool, len(d.blocks))
	for _, c := range d.blocks {
		kept[c] = false
	}
	for _, c := range d.stays {
		if _, named := kept[c]; named {
			kept[c] = true
		}
	}
	if err := d.eraser.each(ctx, func(o *storagev1.Object) error {
		object, err := parseObject(o)
		if err != nil {
			return err
		}
		blocks, err := treeOf(ctx, d.eraser.config.Guard.store, object.root)
		if err != nil {
			return err
		}
		for _, c := range append(blocks, object.attached...) {
			if _, named := kept[c]; named {
				kept[c] = true
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return d.eraser.config.Guard.Erase(ctx, d.blocks, func(c lock.CID) bool { return kept[c] })
}

// each calls f for every object that the chain has this node hold or fetch.
func (e *Eraser) each(ctx context.Context, f func(*storagev1.Object) error) error {
	node, err := e.self.number(ctx)
	if errors.Is(err, errNotStorage) {
		return nil
	}
	if err != nil {
		return err
	}
	// In this order, since a copy that is confirmed meanwhile goes from the one list to the other.
	if err := eachAssignment(ctx, e.storage, node, func(o *storagev1.PlacedObject) error { return f(o.GetObject()) }); err != nil {
		return err
	}
	return eachHolding(ctx, e.storage, node, f)
}

// treeOf returns all blocks that a tree names, as far as the store has its inner nodes: below
// one that is missing or damaged there is nothing that could be told.
func treeOf(ctx context.Context, store blob.Getter, root lock.CID) ([]lock.CID, error) {
	blocks := []lock.CID{root}
	seen := map[lock.CID]bool{root: true}
	for next := 0; next < len(blocks); next++ {
		if !blocks[next].IsDag() {
			continue
		}
		block, err := store.Get(ctx, blocks[next])
		if isLost(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		links, err := blob.ParseNode(block)
		if errors.Is(err, blob.ErrShape) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			if !seen[l.CID] {
				seen[l.CID] = true
				blocks = append(blocks, l.CID)
			}
		}
	}
	return blocks, nil
}

// readPosition reads how far the folder has come. A folder without a position, or with one
// that can't be read or that the chain has not reached, is erased from the beginning.
func (e *Eraser) readPosition(ctx context.Context) error {
	if e.read {
		return nil
	}
	text, err := os.ReadFile(e.file())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var p position
	if err == nil {
		if p, err = parsePosition(text); err != nil {
			e.config.Log.Warn("all that was ever erased is erased again", "file", e.file(), "reason", err)
		}
	}
	if p.erased > 0 {
		page, err := e.storage.Erasures(ctx, &storagev1.QueryErasuresRequest{After: p.erased - 1, Limit: 1})
		if err != nil {
			return fmt.Errorf("ask for erasure %d: %w", p.erased, err)
		}
		if len(page.GetErasures()) == 0 {
			e.config.Log.Warn("all that was ever erased is erased again", "file", e.file(), "reason", "the chain knows no such erasure")
			p = position{}
		}
	}
	e.set(p)
	e.read = true
	return nil
}

func (e *Eraser) file() string { return filepath.Join(e.config.Folder, positionName) }

const positionFormat = "erased %d attested %d\n"

func parsePosition(text []byte) (position, error) {
	var p position
	if _, err := fmt.Sscanf(string(text), positionFormat, &p.erased, &p.attested); err != nil {
		return position{}, err
	}
	if p.attested > p.erased || fmt.Sprintf(positionFormat, p.erased, p.attested) != string(text) {
		return position{}, fmt.Errorf("%q is no position", text)
	}
	return p, nil
}

// move writes a position and makes it durable.
func (e *Eraser) move(p position) error {
	temp := e.file() + ".tmp"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, positionFormat, p.erased, p.attested)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, e.file()); err != nil {
		return err
	}
	folder, err := os.Open(e.config.Folder)
	if err != nil {
		return err
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return err
	}
	e.set(p)
	return nil
}

func (e *Eraser) set(p position) {
	e.position = p
	e.deletedUpTo.Store(p.erased)
	e.attestedUpTo.Store(p.attested)
}
