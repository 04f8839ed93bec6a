package app

import (
	"bytes"
	"errors"
	"fmt"

	"cosmossdk.io/log/v2"
	dbm "github.com/cosmos/cosmos-db"
)

// IAVL can keep each newest value a second time, so that it is found without a way through the tree: its fast nodes. They take a third of the
// state, and no block is faster for them (docs/adr/0045-kept-once.md), so this program keeps none; programs before it did. These are the
// keys of IAVL v1 within the part of the database that belongs to a store.
var (
	fastNodesStart = []byte("f")
	fastNodesEnd   = []byte("g")
	// fastNodesHeight holds the height at which the fast nodes were the newest values. Where there is none they count as not there.
	fastNodesHeight = []byte("mstorage_version")
)

// fastNodesAtOnce is how many fast nodes are removed with one write.
const fastNodesAtOnce = 10_000

// dropFastNodes removes the fast nodes that a program of before left in a state that is not open. When it was cut short it is done
// again, by this program or one of before, which makes all of them anew.
func dropFastNodes(db dbm.DB, logger log.Logger) error {
	dropped := 0
	for _, name := range storeKeys {
		prefix := []byte("s/k:" + name + "/")
		n, err := dropFastNodesOf(dbm.NewPrefixDB(db, prefix))
		if err != nil {
			return fmt.Errorf("remove second copies of the state of %s: %w", name, err)
		}
		dropped += n
		if disk, ok := db.(*dbm.GoLevelDB); ok && n > 0 {
			if err := disk.ForceCompact(append(bytes.Clone(prefix), fastNodesStart...), append(bytes.Clone(prefix), fastNodesEnd...)); err != nil {
				return fmt.Errorf("give back the room of the state of %s: %w", name, err)
			}
		}
	}
	if dropped > 0 {
		logger.Info("second copies of the state's values were removed, which this program does not need", "values", dropped)
	}
	return nil
}

// dropFastNodesOf removes the fast nodes of a store and answers how many there were. Their height goes first: with some of them gone a program
// of before would miss values.
func dropFastNodesOf(store dbm.DB) (dropped int, err error) {
	known, err := store.Has(fastNodesHeight)
	if err != nil {
		return 0, err
	}
	if known {
		if err := store.DeleteSync(fastNodesHeight); err != nil {
			return 0, err
		}
	}
	for from := fastNodesStart; ; {
		keys, err := keysFrom(store, from, fastNodesEnd, fastNodesAtOnce)
		if err != nil || len(keys) == 0 {
			return dropped, err
		}
		if err := deleteAll(store, keys); err != nil {
			return dropped, err
		}
		dropped += len(keys)
		from = append(keys[len(keys)-1], 0)
	}
}

// keysFrom are the first keys of a range, at most limit.
func keysFrom(db dbm.DB, start, end []byte, limit int) (keys [][]byte, err error) {
	found, err := db.Iterator(start, end)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for ; found.Valid() && len(keys) < limit; found.Next() {
		keys = append(keys, bytes.Clone(found.Key()))
	}
	return keys, found.Error()
}

// deleteAll removes keys with one write.
func deleteAll(db dbm.DB, keys [][]byte) (err error) {
	batch := db.NewBatch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	for _, key := range keys {
		if err := batch.Delete(key); err != nil {
			return err
		}
	}
	return batch.WriteSync()
}
