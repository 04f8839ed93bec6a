package phr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/seal"
)

// outcomes is what StoreAll told of each file.
type outcomes struct {
	t      *testing.T
	stored map[int]*phr.Stored
	errs   map[int]error
}

func (c *cast) storeAll(files iter.Seq[phr.NewVersion]) outcomes {
	c.t.Helper()
	o := outcomes{c.t, map[int]*phr.Stored{}, map[int]error{}}
	err := c.clerk.StoreAll(c.t.Context(), files, func(place int, stored *phr.Stored, err error) {
		require.Equal(c.t, err == nil, stored != nil)
		require.NotContains(c.t, o.stored, place)
		require.NotContains(c.t, o.errs, place)
		if err != nil {
			o.errs[place] = err
		} else {
			o.stored[place] = stored
		}
	})
	require.NoError(c.t, err)
	return o
}

// each gives files one after another.
func each(count int, file func(int) phr.NewVersion) iter.Seq[phr.NewVersion] {
	return func(yield func(phr.NewVersion) bool) {
		for i := range count {
			if !yield(file(i)) {
				return
			}
		}
	}
}

func small(i int) []byte { return []byte(fmt.Sprintf("result %d of many", i)) }

var errBroken = errors.New("the card reader is broken")

// Files that can't be read, have another size than they said, or whose patient is unknown are told, and the others are stored all
// the same: with as many uploads and transactions as their number demands.
func TestStoreAll(t *testing.T) {
	c := newCast(t)
	const count, large = 230, 60
	o := c.storeAll(each(count, func(i int) phr.NewVersion {
		v := c.scan(small(i))
		switch i {
		case 7:
			v.Content = iotest.ErrReader(errBroken)
		case 8:
			v.Size++
		case 9:
			v.Size--
		case 10:
			v.Patient = lock.ID{9}.String()
		case large:
			v = c.scan(content(seal.ChunkSize + 1))
		}
		return v
	}))
	require.Len(t, o.errs, 4)
	require.ErrorIs(t, o.errs[7], errBroken)
	require.ErrorIs(t, o.errs[8], seal.ErrSize)
	require.ErrorIs(t, o.errs[9], seal.ErrSize)
	require.ErrorIs(t, o.errs[10], phr.ErrNotFound)
	require.Len(t, o.stored, count-4)
	require.Len(t, c.stores, 3, "100 versions a transaction")
	require.Len(t, c.gates[1].uploads, 4, "100 small files an upload, and the large one")
	for _, i := range []int{0, 11, count - 1, large} {
		b := small(i)
		if i == large {
			b = content(seal.ChunkSize + 1)
		}
		f, err := c.doctor.Open(t.Context(), c.approved(o.stored[i].Ref), o.stored[i].Ref)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, c.reads(f)), i)
	}
}

// A file that the chain refuses does not take the others of its transaction with it.
func TestStoreAllFindsWhatTheChainRefuses(t *testing.T) {
	c := newCast(t)
	bad := lock.ID{1, 2, 3}
	c.refuses = func(v *recordsv1.NewVersion) bool { return v.Record == bad.String() }
	o := c.storeAll(each(50, func(i int) phr.NewVersion {
		v := c.scan(small(i))
		if i == 31 {
			v.NewRecord = bad
		}
		return v
	}))
	require.Len(t, o.stored, 49)
	var refused *phr.Refused
	require.ErrorAs(t, o.errs[31], &refused)
	require.Equal(t, "stale_vault_key", refused.Reason)
	require.LessOrEqual(t, len(c.stores), 13, "halves of halves")
}

// A block that does not come back, or comes back as another one, is told of its file alone.
func TestStoreAllReadsBack(t *testing.T) {
	c := newCast(t)
	for name, change := range map[string]func([]byte) []byte{
		"lost": func([]byte) []byte { return nil }, "changed": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			var spoilt []byte
			c.gates[1].serve = func(_ string, b []byte) []byte {
				if spoilt == nil && len(b) == 4096 {
					spoilt = bytes.Clone(b) // a leaf of the first file that is read back
				}
				if bytes.Equal(b, spoilt) {
					return change(b)
				}
				return b
			}
			o := c.storeAll(each(5, func(i int) phr.NewVersion { return c.scan(small(i)) }))
			c.gates[1].serve = nil
			require.Len(t, o.errs, 1)
			for _, err := range o.errs {
				require.ErrorIs(t, err, phr.ErrReadBack)
			}
			require.Len(t, o.stored, 4)
		})
	}
}

// While files travel, the next ones are read and sealed: the gateway takes the first ones here only when one of those was read.
func TestStoreAllSealsWhileOthersTravel(t *testing.T) {
	c := newCast(t)
	const count = 2 * phr.MaxBatch
	read, waiting := make(chan struct{}), false
	c.gates[1].cut = func(int) bool {
		if !waiting {
			waiting = true
			select {
			case <-read:
			case <-time.After(20 * time.Second):
				t.Error("no file was read while others travelled")
			}
		}
		return false
	}
	o := c.storeAll(each(count, func(i int) phr.NewVersion {
		v := c.scan(small(i))
		if i == count-1 {
			v.Content = &watched{v.Content, sync.OnceFunc(func() { close(read) })}
		}
		return v
	}))
	require.Empty(t, o.errs)
	require.Len(t, o.stored, count)
}

// watched is a file whose reading is told.
type watched struct {
	io.Reader
	tell func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.tell()
	return w.Reader.Read(p)
}

// Two versions of one record follow each other, although all else travels together.
func TestStoreAllKeepsVersionsInOrder(t *testing.T) {
	c := newCast(t)
	first := c.store(small(0))
	o := c.storeAll(each(6, func(i int) phr.NewVersion {
		v := c.scan(small(i))
		if i%2 == 1 {
			v.Record, v.Patient = first.Record, ""
		}
		return v
	}))
	require.Empty(t, o.errs)
	require.EqualValues(t, 2, o.stored[1].Version)
	require.EqualValues(t, 3, o.stored[3].Version)
	require.EqualValues(t, 4, o.stored[5].Version)
}

// Nothing is asked of the sequence when nothing is wanted any more.
func TestStoreAllEndsWithItsContext(t *testing.T) {
	c := newCast(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked, told := 0, 0
	err := c.clerk.StoreAll(ctx, each(500, func(i int) phr.NewVersion {
		if asked++; asked == 3 {
			cancel()
		}
		return c.scan(small(i))
	}), func(_ int, _ *phr.Stored, err error) {
		told++
		require.Error(t, err)
	})
	require.Error(t, err)
	require.LessOrEqual(t, asked, 4)
	require.Empty(t, c.stores)
	require.Equal(t, 3, told)
}

// UploadAll leaves the registering to its caller.
func TestUploadAll(t *testing.T) {
	c := newCast(t)
	files := []phr.NewVersion{c.scan(small(0)), c.scan(content(seal.ChunkSize + 1)), c.scan(small(2)), c.scan(small(3))}
	files[2].Content = io.LimitReader(files[2].Content, 3)
	done, errs := c.clerk.UploadAll(t.Context(), files)
	require.ErrorIs(t, errs[2], seal.ErrSize)
	require.Nil(t, done[2])
	require.Empty(t, c.stores)
	_, err := c.clerk.Commit(t.Context(), done[0], done[1], done[3])
	require.NoError(t, err)
	f, err := c.doctor.Open(t.Context(), c.approved(done[3].Ref), done[3].Ref)
	require.NoError(t, err)
	require.Equal(t, small(3), c.reads(f))
}

// An account that sends more than it may is waited for, and no file is at fault for it.
func TestBusyAccount(t *testing.T) {
	c := newCast(t)
	c.busy = 1
	o := c.storeAll(each(4, func(i int) phr.NewVersion { return c.scan(small(i)) }))
	require.Empty(t, o.errs)
	require.Len(t, o.stored, 4)
	require.Len(t, c.stores, 1, "in one message")

	c.clerk.SetPatience(0)
	c.busy = 100
	o = c.storeAll(each(4, func(i int) phr.NewVersion { return c.scan(small(i)) }))
	require.Len(t, o.errs, 4)
	for _, err := range o.errs {
		require.ErrorIs(t, err, phr.ErrBusy)
	}
	require.Equal(t, 99, c.busy, "it is no use to try each half")
}
