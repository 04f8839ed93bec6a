package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// versions measures row 9: a hundredth of the file changes in one place and becomes a new version, at the hospital that stores it and
// at another one that holds the version before. Bytes do not differ from run to run, so there is one round.
func (b *bench) versions(ctx context.Context) (rows []row, err error) {
	dirs := [2]string{filepath.Join(b.dir, "versions-here"), filepath.Join(b.dir, "versions-there")}
	var stores [2]*pack.Store
	var nodes [2]*ipfs.Node
	for i, dir := range dirs {
		if stores[i], err = pack.Open(dir, pack.Options{}); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stores[i].Close(), os.RemoveAll(dir)) }()
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		if nodes[i], err = ipfs.New(ctx, ipfs.Config{Store: stores[i], Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}}); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, nodes[i].Close()) }()
	}
	list := map[peer.ID][]multiaddr.Multiaddr{nodes[0].PeerID(): nodes[0].Addrs(), nodes[1].PeerID(): nodes[1].Addrs()}
	for _, n := range nodes {
		n.SetAllowed(list)
	}
	budget := uint64(b.size) + uint64(b.size)/10 + 64*mib
	copyTo := func(root lock.CID) error {
		return nodes[1].Fetch(ctx, root, []peer.AddrInfo{nodes[0].Info()}, budget)
	}

	input := filepath.Join(b.dir, "input")
	began := time.Now()
	first, err := sealInto(ctx, stores[0], input)
	if err == nil {
		err = copyTo(first.Ref.Object)
	}
	if err != nil {
		return nil, err
	}
	firstTime := time.Since(began)
	changed := filepath.Join(b.dir, "changed")
	defer func() { err = errors.Join(err, removeIfThere(changed)) }()
	if err := changeHundredth(input, changed, b.size); err != nil {
		return nil, err
	}
	stored, err := folderBytes(dirs[0])
	if err != nil {
		return nil, err
	}
	moved := nodes[1].Traffic().Fetched
	began = time.Now()
	next, err := sealNext(ctx, stores[0], changed, first)
	if err == nil {
		err = copyTo(next.Ref.Object)
	}
	if err != nil {
		return nil, err
	}
	nextTime := time.Since(began)
	now, err := folderBytes(dirs[0])
	if err != nil {
		return nil, err
	}
	stored, moved = now-stored, nodes[1].Traffic().Fetched-moved
	want, err := hashFile(changed)
	if err != nil {
		return nil, err
	}
	got, err := opened(ctx, stores[1], next)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("the copy of the new version opens to other bytes")
	}
	if err != nil {
		return nil, err
	}
	percent := func(n uint64) float64 { return 100 * float64(n) / float64(b.size) }
	return []row{{
		number: "9", what: "1 % changed in one place as a new version: bytes stored at the hospital that gets it, bytes moved to one that holds the version before",
		target: "≤ 2 %", measured: fmt.Sprintf("%.2f %%, %.2f %%", percent(stored), percent(moved)),
		raw: fmt.Sprintf("%d of %d leaves used again; stored and copied in %.2f of the first version's time", len(next.Reused), len(next.Contents.Entries), nextTime.Seconds()/firstTime.Seconds()),
	}}, nil
}

// changeHundredth copies a file with a hundredth of it, from a third on, drawn anew.
func changeHundredth(from, to string, size int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		_, err = io.CopyN(io.NewOffsetWriter(out, size/3), rand.Reader, size/100)
	}
	return errors.Join(err, out.Close())
}

// sealNext stores a file as the version behind another one, whose leaves the store holds.
func sealNext(ctx context.Context, store *pack.Store, path string, previous *seal.Sealed) (*seal.Sealed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	batch, err := store.Begin(ctx, blob.Hint{Size: uint64(info.Size()) / 100})
	if err != nil {
		return nil, err
	}
	sealed, err := seal.Seal(ctx, seal.SinkFunc(func(_ context.Context, c lock.CID, block []byte) error {
		return batch.PutTrusted(c, block)
	}), f, seal.Draft{
		Name: "bench", MediaType: "application/octet-stream", Size: uint64(info.Size()), Previous: previous.Contents,
		// As a gateway does when it is asked: the disk itself is read, and what it gives is hashed.
		Holds: func(ctx context.Context, c lock.CID) bool { _, err := store.Cold().Get(ctx, c); return err == nil },
	})
	if err == nil {
		err = batch.Sync(ctx)
	}
	return sealed, errors.Join(err, batch.Close())
}

// folderBytes adds up the files of a store's packs.
func folderBytes(dir string) (sum uint64, err error) {
	packs, err := filepath.Glob(filepath.Join(dir, "packs", "*"))
	for _, path := range packs {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		sum += uint64(info.Size())
	}
	return sum, err
}
