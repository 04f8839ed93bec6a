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

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
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
	b.Run("limit=stream", func(b *testing.B) {
		b.SetBytes(int64(o.Bytes))
		content := make([]byte, 0, o.Bytes)
		for _, c := range o.CIDs {
			content = append(content, o.Blocks[c]...)
		}
		want := sha256.Sum256(content)
		from, to := plainHost(b, 1), plainHost(b, 2)
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
	b.Run("bitswap", func(b *testing.B) {
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

// plainHost starts a libp2p host with nothing of ours.
func plainHost(b *testing.B, n byte) host.Host {
	b.Helper()
	private, err := crypto.UnmarshalEd25519PrivateKey(key(n))
	if err != nil {
		b.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(private), libp2p.ListenAddrStrings(loopback),
		libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.DisableMetrics())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Close(); err != nil {
			b.Error(err)
		}
	})
	return h
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
