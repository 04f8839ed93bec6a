package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"cosmossdk.io/log/v2"
	"github.com/cometbft/cometbft/crypto/merkle"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2"
	pruning "github.com/cosmos/cosmos-sdk/store/v2/pruning/types"
	"github.com/cosmos/cosmos-sdk/store/v2/rootmulti"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/index"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/audit/keeper"
)

const (
	// blockEntries is how many entries a block of these rows has.
	blockEntries = 100
	// statesKept is how many states are kept, as few as there may be: what is measured is one state.
	statesKept = 2
)

// appendSizes are how many entries are appended, and those of a short run.
var appendSizes = map[bool]uint64{false: 100_000, true: 5_000}

// state is a chain's state of one module on the disk.
type state struct {
	dir   string
	db    *dbm.GoLevelDB
	store store.CommitMultiStore
	key   *storetypes.KVStoreKey
}

func openState(dir string) (*state, error) {
	db, err := dbm.NewGoLevelDB("state", dir, nil)
	if err != nil {
		return nil, err
	}
	s := &state{dir: dir, db: db, store: store.NewCommitMultiStore(db, log.NewNopLogger()), key: storetypes.NewKVStoreKey(audit.StoreKey)}
	s.store.SetIAVLSyncPruning(true)
	s.store.SetIAVLDisableFastNode(true) // as in the application
	s.store.SetPruning(pruning.NewCustomPruningOptions(statesKept, 10))
	s.store.MountStoreWithDB(s.key, storetypes.StoreTypeIAVL, nil)
	if err := s.store.LoadLatestVersion(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// remove closes the state and deletes it.
func (s *state) remove() error { return errors.Join(s.db.Close(), os.RemoveAll(s.dir)) }

// bytes closes the state, and is how large it then is on the disk without what is superseded.
func (s *state) bytes() (size int64, err error) {
	if err := errors.Join(s.db.ForceCompact(nil, nil), s.db.Close()); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(s.dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// blocks appends entries of a made log to a store, one block after another; begin is given the context of each.
func (s *state) blocks(entries uint64, write func(ctx sdk.Context, sequence uint64) error) error {
	for first := uint64(1); first <= entries; first += blockEntries {
		height := int64(first/blockEntries) + 1
		ctx := sdk.NewContext(s.store, cmtproto.Header{Height: height, Time: time.Unix(logStart+height, 0)}, false, log.NewNopLogger())
		for n := first; n < first+blockEntries && n <= entries; n++ {
			if err := write(ctx, n); err != nil {
				return err
			}
		}
		s.store.Commit()
	}
	return nil
}

// ledger is the log as the chain keeps it.
type ledger struct {
	*state
	keeper *keeper.Keeper
}

func openLedger(dir string) (*ledger, error) {
	s, err := openState(dir)
	if err != nil {
		return nil, err
	}
	k, err := keeper.New(codec.NewProtoCodec(codectypes.NewInterfaceRegistry()), runtime.NewKVStoreService(s.key))
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return &ledger{s, k}, nil
}

// context is that of the newest committed state.
func (l *ledger) context() sdk.Context {
	return sdk.NewContext(l.store.CacheMultiStore(), cmtproto.Header{}, true, log.NewNopLogger())
}

// Frontier implements index.Source.
func (l *ledger) Frontier(context.Context) (audit.Frontier, error) {
	return l.keeper.Frontier(l.context())
}

// Entries implements index.Source.
func (l *ledger) Entries(_ context.Context, from uint64, limit int) ([]audit.Entry, error) {
	return l.keeper.Entries(l.context(), from, limit)
}

// appendAll appends a made log and has an index read it.
func (b *bench) appendAll(ctx context.Context, l *ledger, entries uint64) (err error) {
	made := madeLog{}
	if err := l.blocks(entries, func(ctx sdk.Context, sequence uint64) error {
		e := made.at(sequence, entries)
		e.Sequence, e.Height, e.Time = 0, 0, 0
		_, err := l.keeper.Append(ctx, e)
		return err
	}); err != nil {
		return err
	}
	x, err := index.Open(filepath.Join(l.dir, "index"), l)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, x.Stop(context.WithoutCancel(ctx)), os.RemoveAll(filepath.Join(l.dir, "index")))
	}()
	if err := x.Start(ctx); err != nil {
		return err
	}
	newest, err := newestIndexed(ctx, x)
	if err == nil && newest != entries {
		err = fmt.Errorf("the newest of %d entries is %d", entries, newest)
	}
	return err
}

// appendBare appends the same entries to a tree without anything else, or with a value of the length of a chain's end under the key of each
// entry's patient, behind the entries as in the log's state.
func (b *bench) appendBare(s *state, entries uint64, linked bool) error {
	made := madeLog{}
	if err := s.blocks(entries, func(ctx sdk.Context, sequence uint64) error {
		e := made.at(sequence, entries)
		value, err := e.Marshal()
		if err != nil {
			return err
		}
		tree := ctx.KVStore(s.key)
		tree.Set(binary.BigEndian.AppendUint64(nil, sequence), value)
		if !linked {
			return nil
		}
		patient, err := lock.ParseCanonicalID(e.Patient)
		if err != nil {
			return err
		}
		end := audit.SubjectHead{Count: sequence, Head: value[:sha256.Size], Last: sequence}
		if value, err = end.Marshal(); err == nil {
			tree.Set(append([]byte{1}, patient.Bytes()...), value)
		}
		return err
	}); err != nil {
		return err
	}
	last := made.at(entries, entries)
	want, err := last.Marshal()
	if err != nil {
		return err
	}
	if got := s.store.CacheMultiStore().GetKVStore(s.key).Get(binary.BigEndian.AppendUint64(nil, entries)); string(got) != string(want) {
		return errors.New("the bare store does not have the last entry")
	}
	return nil
}

// prove has a bare state prove entries, as a node does for who asks for one with its proof, and answers how long each took.
func (s *state) prove(entries, round uint64) ([]time.Duration, error) {
	proves, ok := s.store.(storetypes.Queryable)
	if !ok {
		return nil, errors.New("the store proves nothing")
	}
	r := rand.New(rand.NewPCG(round, entries))
	var times []time.Duration
	for range logQueries {
		key := binary.BigEndian.AppendUint64(nil, 1+r.Uint64N(entries))
		began := time.Now()
		got, err := proves.Query(&storetypes.RequestQuery{Path: "/" + s.key.Name() + "/key", Data: key, Height: s.store.LastCommitID().Version, Prove: true})
		times = append(times, time.Since(began))
		if err != nil {
			return nil, err
		}
		keyPath := merkle.KeyPath{}.AppendKey([]byte(s.key.Name()), merkle.KeyEncodingURL).AppendKey(key, merkle.KeyEncodingHex)
		if err := rootmulti.DefaultProofRuntime().VerifyValue(got.ProofOps, s.store.LastCommitID().Hash, keyPath.String(), got.Value); err != nil {
			return nil, fmt.Errorf("the bare store proves an entry wrongly: %w", err)
		}
	}
	return times, nil
}

// appends measures row 15 and, of row 17, an entry.
func (b *bench) appends(ctx context.Context) ([]row, error) {
	entries := appendSizes[b.size < 1<<30]
	// Each side is given a fresh state, and end is called with it when all is appended.
	ours := func(end func(*state) error) func(context.Context) error {
		return func(ctx context.Context) error {
			l, err := openLedger(filepath.Join(b.dir, "ledger"))
			if err != nil {
				return err
			}
			if err := b.appendAll(ctx, l, entries); err != nil {
				return errors.Join(err, l.remove())
			}
			return end(l.state)
		}
	}
	bare := func(linked bool, end func(*state) error) func(context.Context) error {
		return func(context.Context) error {
			s, err := openState(filepath.Join(b.dir, "bare"))
			if err != nil {
				return err
			}
			if err := b.appendBare(s, entries, linked); err != nil {
				return errors.Join(err, s.remove())
			}
			return end(s)
		}
	}
	samples, err := interleave(ctx, b.rounds, ours((*state).remove), bare(false, (*state).remove), bare(true, (*state).remove))
	if err != nil {
		return nil, err
	}
	// The size is taken in a run of its own: what it takes to compact is no part of an append.
	var entryBytes, bareBytes int64
	sized := func(into *int64) func(*state) error {
		return func(s *state) (err error) {
			*into, err = s.bytes()
			return errors.Join(err, os.RemoveAll(s.dir))
		}
	}
	if err := errors.Join(ours(sized(&entryBytes))(ctx), bare(false, sized(&bareBytes))(ctx)); err != nil {
		return nil, err
	}
	per := func(seconds []float64) float64 { return 1e6 * spreadOf(seconds).median / float64(entries) }
	return []row{{
		number: "15", what: fmt.Sprintf("%d entries appended in blocks of %d and indexed, against a bare IAVL tree that takes them in sequence", entries, blockEntries), target: "≥ 0.5",
		measured: rates(samples[0], samples[1]).String(), raw: fmt.Sprintf("%.0f and %.0f µs an entry, of processor time %.0f and %.0f; the bare tree with a write for each entry's patient %.0f, of processor time %.0f",
			per(walls(samples[0])), per(walls(samples[1])), per(cpus(samples[0])), per(cpus(samples[1])), per(walls(samples[2])), per(cpus(samples[2]))),
	}, {
		number: "17", what: "bytes of state for an entry, its patient's chain and the edge of the tree included", target: "≤ 400",
		measured: fmt.Sprint(entryBytes / int64(entries)), raw: fmt.Sprintf("in a bare tree %d", bareBytes/int64(entries)),
	}}, nil
}

func walls(samples []sample) []float64 {
	seconds := make([]float64, len(samples))
	for i, s := range samples {
		seconds[i] = s.wall.Seconds()
	}
	return seconds
}

func cpus(samples []sample) []float64 {
	seconds := make([]float64, len(samples))
	for i, s := range samples {
		seconds[i] = s.cpu.Seconds()
	}
	return seconds
}
