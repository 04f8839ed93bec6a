package ipfs_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
)

// farAway returns where a node is reached over a line that delays every byte.
func farAway(b *testing.B, n *ipfs.Node, delay time.Duration) peer.AddrInfo {
	b.Helper()
	target, err := manet.ToNetAddr(n.Addrs()[0])
	if err != nil {
		b.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target.String())
			if err != nil {
				b.Error(errors.Join(err, near.Close()))
				return
			}
			group.Go(func() { delayed(far, near, delay) })
			group.Go(func() { delayed(near, far, delay) })
		}
	})
	b.Cleanup(func() {
		if err := listener.Close(); err != nil {
			b.Error(err)
		}
	})
	address, err := manet.FromNetAddr(listener.Addr())
	if err != nil {
		b.Fatal(err)
	}
	return peer.AddrInfo{ID: n.PeerID(), Addrs: []multiaddr.Multiaddr{address}}
}

// delayed copies what it reads a while later. It ends with either side.
func delayed(to io.WriteCloser, from io.ReadCloser, delay time.Duration) {
	type chunk struct {
		bytes []byte
		due   time.Time
	}
	chunks := make(chan chunk, 4096)
	go func() {
		defer close(chunks)
		for {
			buffer := make([]byte, 64<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				chunks <- chunk{buffer[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range chunks {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.bytes); err != nil {
			break
		}
	}
	_ = errors.Join(to.Close(), from.Close()) // the other direction ends as well
	for range chunks {
	}
}

// BenchmarkRead measures a whole object that is read and not kept, as a gateway sends it: block
// by block with four on their way, and in groups of four with three on their way, beside the
// object stream that makes copies. Compare the rates of one run.
func BenchmarkRead(b *testing.B) {
	o := benchmarkObject(b)
	leaves := slices.DeleteFunc(slices.Clone(o.CIDs), lock.CID.IsDag)
	for _, delay := range []time.Duration{0, 5 * time.Millisecond, 25 * time.Millisecond} {
		far := openPack(b)
		if err := o.Put(b.Context(), far); err != nil {
			b.Fatal(err)
		}
		name := "delay=" + delay.String()
		farNode, store := start(b, 3, far, 4), memory.New()
		nearNode := start(b, 4, store, 3)
		from := []peer.AddrInfo{farAway(b, farNode, delay)}
		nearNode.SetAllowed(map[peer.ID][]multiaddr.Multiaddr{from[0].ID: from[0].Addrs})
		if err := nearNode.Connect(b.Context(), from[0]); err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/limit=object", func(b *testing.B) {
			b.SetBytes(int64(o.Bytes))
			for b.Loop() {
				err := nearNode.Fetch(b.Context(), o.Root, from, o.Bytes)
				b.StopTimer()
				if err := errors.Join(err, store.Erase(b.Context(), o.CIDs, nil)); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
		for _, way := range []struct {
			name          string
			group, groups int
			read          func(context.Context, []lock.CID) error
		}{
			{"blocks", 1, 4, func(ctx context.Context, cids []lock.CID) error {
				_, err := nearNode.ReadBlock(ctx, cids[0], from, blob.MaxBlock)
				return err
			}},
			{"groups", 4, 3, func(ctx context.Context, cids []lock.CID) error {
				return nearNode.ReadBlocks(ctx, cids, from, func(lock.CID, []byte) error { return nil })
			}},
		} {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				b.SetBytes(int64(o.Bytes))
				for b.Loop() {
					if err := readAll(b.Context(), leaves, way.group, way.groups, way.read); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// readAll reads blocks in order, in groups of which so many are on their way.
func readAll(ctx context.Context, cids []lock.CID, group, groups int, read func(context.Context, []lock.CID) error) error {
	ahead := make(chan chan error, groups-1)
	go func() {
		defer close(ahead)
		for part := range slices.Chunk(cids, group) {
			came := make(chan error, 1)
			ahead <- came
			go func() { came <- read(ctx, part) }()
		}
	}()
	var errs []error
	for came := range ahead {
		errs = append(errs, <-came)
	}
	return errors.Join(errs...)
}
