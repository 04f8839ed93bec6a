package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

const (
	// smallSize is the size of a small file, smallMost how many there are, and smallBatch how many a transaction names.
	smallSize  = 20 << 10
	smallMost  = 10_000
	smallBatch = 100
)

// small measures what row 19 takes without network and blocks: files of 20 KiB are sealed, locked, stored durably in batches of a
// hundred and read back, while the next hundred are sealed; once more with the check of each proof, which every validator does. The
// comparator copies the same files and syncs the file system.
func (b *bench) small(ctx context.Context) ([]row, error) {
	count := int(min(smallMost, b.size/smallSize))
	from, to, storeDir := filepath.Join(b.dir, "many"), filepath.Join(b.dir, "many-copy"), filepath.Join(b.dir, "many-store")
	if err := os.Mkdir(from, 0o700); err != nil {
		return nil, err
	}
	paths := make([]string, count)
	content := make([]byte, smallSize)
	for i := range paths {
		paths[i] = filepath.Join(from, fmt.Sprintf("%05d", i))
		if _, err := rand.Read(content); err != nil {
			return nil, err
		}
		if err := os.WriteFile(paths[i], content, 0o600); err != nil {
			return nil, err
		}
	}
	terms, err := newTerms()
	if err != nil {
		return nil, err
	}
	store := func(check bool) func(context.Context) error {
		return func(ctx context.Context) (err error) {
			if err := os.RemoveAll(storeDir); err != nil {
				return err
			}
			s, err := pack.Open(storeDir, pack.Options{})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			return storeAll(ctx, s, terms, paths, check)
		}
	}
	samples, err := interleave(ctx, b.rounds, store(false), store(true), func(ctx context.Context) error {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if err := exec.CommandContext(ctx, "cp", "-r", from, to).Run(); err != nil {
			return fmt.Errorf("cp: %w", err)
		}
		if err := exec.CommandContext(ctx, "sync", "-f", to).Run(); err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	copies, err := os.ReadDir(to)
	if err == nil && len(copies) != count {
		err = fmt.Errorf("cp copied %d of %d files", len(copies), count)
	}
	if err := errors.Join(err, os.RemoveAll(from), os.RemoveAll(to), os.RemoveAll(storeDir)); err != nil {
		return nil, err
	}
	size := int64(count) * smallSize
	return []row{{
		number: "19", what: fmt.Sprintf("%d files of 20 KiB sealed, locked, stored durably and read back in batches of %d, without network and chain, against `cp` and sync", count, smallBatch),
		target: "≥ 0.5", measured: rates(samples[0], samples[2]).String(),
		raw: fmt.Sprintf("store %.0f, cp %.0f MiB/s", throughput(size, samples[0]).median, throughput(size, samples[2]).median),
	}, {
		number: "19", what: "the same with the check of each proof, as a validator does it", target: "≥ 0.5", measured: rates(samples[1], samples[2]).String(),
		raw: fmt.Sprintf("store and check %.0f MiB/s", throughput(size, samples[1]).median),
	}}, nil
}

// newTerms are those of a patient's record under a key that nobody holds.
func newTerms() (seal.Terms, error) {
	x, err := lock.RandomScalar(rand.Reader)
	if err != nil {
		return seal.Terms{}, err
	}
	key, err := lock.GeneratePrivateKey(rand.Reader)
	if err != nil {
		return seal.Terms{}, err
	}
	patient := lock.ID{1}
	return seal.Terms{
		Lock: lock.LockBoth, Version: 1, Owner: lock.PatientOwner(patient), Custodian: 1,
		Key:        lock.Generation{Network: lock.Network{1}, Kind: lock.KeyRecords, Number: 1, X: x.Public()},
		Recipients: []seal.VaultKey{{Recipient: seal.PatientRecipient(patient), Epoch: 1, Key: key.Public()}},
	}, nil
}

// smallFile is a file on its way into the store.
type smallFile struct {
	path   string
	cids   []lock.CID
	blocks [][]byte
	locked *seal.Locked
}

// Put implements seal.Sink.
func (f *smallFile) Put(_ context.Context, c lock.CID, block []byte) error {
	f.cids, f.blocks = append(f.cids, c), append(f.blocks, bytes.Clone(block))
	return nil
}

func (f *smallFile) seal(ctx context.Context, terms seal.Terms) error {
	content, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	sealed, err := seal.Seal(ctx, f, bytes.NewReader(content), seal.Draft{Name: "bench", Size: uint64(len(content))})
	if err != nil {
		return err
	}
	if terms.Record, err = lock.NewID(rand.Reader); err != nil {
		return err
	}
	if f.locked, err = seal.LockVersion(terms, sealed.Ref, sealed.DEK); err != nil {
		return err
	}
	return f.Put(ctx, f.locked.Header.Envelope, f.locked.Block)
}

// storeAll stores files, batch by batch. The next batch is sealed meanwhile.
func storeAll(ctx context.Context, store *pack.Store, terms seal.Terms, paths []string, check bool) error {
	group, ctx := errgroup.WithContext(ctx)
	sealed := make(chan []*smallFile)
	group.Go(func() error {
		defer close(sealed)
		for some := range slices.Chunk(paths, smallBatch) {
			files := make([]*smallFile, len(some))
			for i, path := range some {
				files[i] = &smallFile{path: path}
			}
			if err := parallel(files, func(f *smallFile) error { return f.seal(ctx, terms) }); err != nil {
				return err
			}
			select {
			case sealed <- files:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		for files := range sealed {
			if err := storeSmall(ctx, store, files, check); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// storeSmall stores sealed files with one write to the disk and reads them back.
func storeSmall(ctx context.Context, store *pack.Store, files []*smallFile, check bool) error {
	batch, err := store.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	for _, f := range files {
		for i, c := range f.cids {
			if err := batch.PutTrusted(c, f.blocks[i]); err != nil {
				return errors.Join(err, batch.Close())
			}
		}
	}
	if err := errors.Join(batch.Sync(ctx), batch.Close()); err != nil {
		return err
	}
	return parallel(files, func(f *smallFile) error {
		if check {
			if err := f.locked.Statement.Verify(f.locked.Proof); err != nil {
				return err
			}
		}
		return f.locked.ReadBack(ctx, coldSource{store.Cold()}, nil)
	})
}

// coldSource is a seal.Source of what the disk itself gives.
type coldSource struct{ blob.Getter }

// parallel does some work on each file, as many at a time as there are processors.
func parallel(files []*smallFile, work func(*smallFile) error) error {
	errs := make([]error, len(files))
	gate := make(chan struct{}, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for i, f := range files {
		gate <- struct{}{}
		group.Go(func() {
			defer func() { <-gate }()
			errs[i] = work(f)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
