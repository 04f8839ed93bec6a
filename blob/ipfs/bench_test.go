package ipfs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/pack"
)

// benchmarkObject has 64 MiB; PHRD_BENCH_MIB says otherwise.
func benchmarkObject(b *testing.B) *blobtest.Object {
	b.Helper()
	mib := 64
	if text := os.Getenv("PHRD_BENCH_MIB"); text != "" {
		var err error
		if mib, err = strconv.Atoi(text); err != nil || mib < 1 {
			b.Fatalf("PHRD_BENCH_MIB is %q", text)
		}
	}
	return blobtest.NewObject(1, blobtest.Sizes(mib<<20)...)
}

func openPack(b *testing.B) *pack.Store {
	b.Helper()
	s, err := pack.Open(b.TempDir(), pack.Options{Reserve: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// BenchmarkCopy measures row 5 of the targets: an object copied from the disk of one node
// to the disk of another, every block verified, beside a raw libp2p stream of the same
// bytes over TLS whose receiver hashes them. Compare the rates of one run.
func BenchmarkCopy(b *testing.B) {
	o := benchmarkObject(b)
	b.Run("limit=raw", func(b *testing.B) {
		b.SetBytes(int64(o.Bytes))
		content := make([]byte, 0, o.Bytes)
		for _, c := range o.CIDs {
			content = append(content, o.Blocks[c]...)
		}
		want := sha256.Sum256(content)
		from, to := stranger(b, 1), stranger(b, 2)
		from.SetStreamHandler("/raw", func(s network.Stream) {
			_, err := io.Copy(s, bytes.NewReader(content))
			if err := errors.Join(err, s.Close()); err != nil {
				b.Error(err)
			}
		})
		if err := to.Connect(b.Context(), peer.AddrInfo{ID: from.ID(), Addrs: from.Addrs()}); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := receive(b.Context(), to, from.ID(), want); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("object", func(b *testing.B) {
		b.SetBytes(int64(o.Bytes))
		far, near := openPack(b), openPack(b)
		if err := o.Put(b.Context(), far); err != nil {
			b.Fatal(err)
		}
		farNode, nearNode := start(b, 3, far, 4), start(b, 4, near, 3)
		from := []peer.AddrInfo{farNode.Info()}
		if err := nearNode.Connect(b.Context(), from[0]); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			err := nearNode.Fetch(b.Context(), o.Root, from, o.Bytes)
			b.StopTimer()
			if err := errors.Join(err, blob.Verify(b.Context(), near, o.Root, o.Bytes), near.Erase(b.Context(), o.CIDs, nil)); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

// BenchmarkThreeCopies measures row 7 where the line of the origin is the limit: three nodes
// copy an object at once and feed each other. It reports how many objects the origin sent, and
// the time against that in which its line carries one.
func BenchmarkThreeCopies(b *testing.B) {
	const rate = 16 << 20
	o := benchmarkObject(b)
	source := openPack(b)
	if err := o.Put(b.Context(), source); err != nil {
		b.Fatal(err)
	}
	origin := launch(b, 1, source, func(c *ipfs.Config) { c.SendRate = rate })
	var nodes []*ipfs.Node
	var stores []*pack.Store
	for n := range byte(3) {
		stores = append(stores, openPack(b))
		nodes = append(nodes, launch(b, n+2, stores[n], nil))
	}
	from := infos(append(nodes, origin)...)
	for b.Loop() {
		errs := make(chan error, len(nodes))
		for _, n := range nodes {
			go func() { errs <- n.Fetch(b.Context(), o.Root, from, o.Bytes) }()
		}
		for range nodes {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		for _, s := range stores {
			if err := errors.Join(blob.Verify(b.Context(), s, o.Root, o.Bytes), s.Erase(b.Context(), o.CIDs, nil)); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
	all := float64(o.Bytes) * float64(b.N)
	b.ReportMetric(float64(origin.Traffic().Sent)/all, "objects/origin")
	b.ReportMetric(b.Elapsed().Seconds()*rate/all, "times/one")
}

// receive reads a stream to its end and hashes it.
func receive(ctx context.Context, h host.Host, from peer.ID, want [32]byte) error {
	s, err := h.NewStream(ctx, from, "/raw")
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, s)
	if err == nil && !bytes.Equal(hash.Sum(nil), want[:]) {
		err = fmt.Errorf("%s sent other bytes", from)
	}
	return errors.Join(err, s.Close())
}
