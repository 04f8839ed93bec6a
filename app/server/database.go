package server

import (
	"errors"
	"sync"

	cometdb "github.com/cometbft/cometbft-db"
	cometconfig "github.com/cometbft/cometbft/config"

	"github.com/phrd/phrd/app/blocks"
)

// blocksID is what CometBFT calls its database of blocks.
const blocksID = "blockstore"

// errClosed says that a database was closed.
var errClosed = errors.New("database is closed")

// databases are the databases of the chain's node.
type databases struct{ open []*database }

// provide opens a database for the node.
func (d *databases) provide(c *cometconfig.DBContext) (cometdb.DB, error) {
	db, err := cometconfig.DefaultDBProvider(c)
	if err != nil {
		return nil, err
	}
	if c.ID == blocksID {
		db = blocks.Thin(db)
	}
	opened := &database{DB: db}
	d.open = append(d.open, opened)
	return opened, nil
}

// close closes what the node did not close itself: all of them where its start broke off, and the index of transactions always.
func (d *databases) close() error {
	var errs []error
	for _, db := range d.open {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// database is a database that holds nothing once it is closed. When a node stops, routines that talk to its peers may still look for a
// block, and would end the process where the database answered with an error.
type database struct {
	cometdb.DB
	mu     sync.RWMutex
	closed bool
}

// Get implements cometdb.DB.
func (d *database) Get(key []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, nil
	}
	return d.DB.Get(key)
}

// Has implements cometdb.DB.
func (d *database) Has(key []byte) (bool, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return false, nil
	}
	return d.DB.Has(key)
}

// Iterator implements cometdb.DB.
func (d *database) Iterator(start, end []byte) (cometdb.Iterator, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errClosed
	}
	return d.DB.Iterator(start, end)
}

// ReverseIterator implements cometdb.DB.
func (d *database) ReverseIterator(start, end []byte) (cometdb.Iterator, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errClosed
	}
	return d.DB.ReverseIterator(start, end)
}

// Close implements cometdb.DB; a second call does nothing.
func (d *database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return d.DB.Close()
}
