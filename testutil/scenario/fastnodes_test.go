package scenario_test

import (
	"errors"
	"regexp"
	"testing"

	"cosmossdk.io/log/v2"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/store/v2/rootmulti"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/app"
)

// A home whose state holds each value a second time, as programs of before kept it, goes on without; its next block is that of everybody. A
// program of before goes on with what this one left, also where this one was cut short.
func TestAStateGoesOnWithoutFastNodes(t *testing.T) {
	t.Parallel()
	db := dbm.NewMemDB()
	c := newCrowd(t, db)
	c.registers(3)
	c.stores(5)
	require.Zero(t, fastNodes(t, db))

	before := copyOf(t, db)
	values := c.openedBefore(before)
	require.NotEmpty(t, values)
	require.Equal(t, len(values), fastNodes(t, before))

	cut := copyOf(t, before)
	_, err := app.New(app.Config{Logger: log.NewNopLogger(), DB: &cutShort{DB: cut}, Home: t.TempDir()})
	require.ErrorIs(t, err, errCutShort)
	require.Less(t, fastNodes(t, cut), len(values))
	require.NotZero(t, fastNodes(t, cut))
	require.Equal(t, values, c.openedBefore(copyOf(t, cut)))

	var homes []*chain
	for _, state := range []*dbm.MemDB{before, cut} {
		homes = append(homes, &chain{t: t, app: newApp(t, state), height: c.height, at: c.at})
		require.Zero(t, fastNodes(t, state))
	}
	block := c.storing(1, c.versions(1, 2)...)
	hash := c.block(block)
	for _, home := range homes {
		require.Equal(t, hash, home.block(block))
	}
	require.Equal(t, c.openedBefore(copyOf(t, db)), c.openedBefore(before))
}

// openedBefore has a program of before, which keeps fast nodes, open the newest state, and answers all values that it reads, by store and key.
func (c *crowd) openedBefore(db dbm.DB) map[string]string {
	c.t.Helper()
	stores := rootmulti.NewStore(db, log.NewNopLogger())
	info, err := stores.GetCommitInfo(c.height)
	require.NoError(c.t, err)
	var keys []storetypes.StoreKey
	for _, s := range info.StoreInfos {
		keys = append(keys, storetypes.NewKVStoreKey(s.Name))
		stores.MountStoreWithDB(keys[len(keys)-1], storetypes.StoreTypeIAVL, nil)
	}
	require.NoError(c.t, stores.LoadLatestVersion())
	require.Equal(c.t, c.app.LastCommitID(), stores.LastCommitID())
	values := map[string]string{}
	for _, key := range keys {
		entries := stores.GetKVStore(key).Iterator(nil, nil)
		for ; entries.Valid(); entries.Next() {
			values[key.Name()+string(entries.Key())] = string(entries.Value())
		}
		require.NoError(c.t, errors.Join(entries.Error(), entries.Close()))
	}
	return values
}

// fastNode is a key under which a store keeps a value a second time.
var fastNode = regexp.MustCompile(`^s/k:[a-z]+/f`)

// fastNodes counts the values that are kept a second time.
func fastNodes(t *testing.T, db dbm.DB) (count int) {
	t.Helper()
	all, err := db.Iterator(nil, nil)
	require.NoError(t, err)
	for ; all.Valid(); all.Next() {
		if fastNode.Match(all.Key()) {
			count++
		}
	}
	require.NoError(t, errors.Join(all.Error(), all.Close()))
	return count
}

// copyOf is a database in memory with the same content.
func copyOf(t *testing.T, db dbm.DB) *dbm.MemDB {
	t.Helper()
	other := dbm.NewMemDB()
	all, err := db.Iterator(nil, nil)
	require.NoError(t, err)
	for ; all.Valid(); all.Next() {
		require.NoError(t, other.Set(all.Key(), all.Value()))
	}
	require.NoError(t, errors.Join(all.Error(), all.Close()))
	return other
}

var errCutShort = errors.New("cut short")

// cutShort is a database whose first batch of many keys is the last that it writes.
type cutShort struct{ dbm.DB }

// NewBatch implements dbm.DB.
func (d *cutShort) NewBatch() dbm.Batch { return cutShortBatch{d.DB.NewBatch()} }

type cutShortBatch struct{ dbm.Batch }

// WriteSync implements dbm.Batch.
func (b cutShortBatch) WriteSync() error { return errors.Join(b.Batch.WriteSync(), errCutShort) }
