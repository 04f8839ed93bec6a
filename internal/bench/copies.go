package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/pack"
)

// copies measures rows 5 and 6: an object copied from the disk of one node to that of another, verified and durable, against a raw
// libp2p stream over TLS of the same bytes. Both ends are in this process.
func (b *bench) copies(ctx context.Context) (rows []row, err error) {
	source, err := pack.Open(filepath.Join(b.dir, "source"), pack.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	input := filepath.Join(b.dir, "input")
	sealed, err := sealInto(ctx, source, input)
	if err != nil {
		return nil, err
	}
	target := filepath.Join(b.dir, "target")
	budget := uint64(b.size) + uint64(b.size)/10 + 64*mib
	raw, err := newRawStream(input)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, raw.close()) }()
	samples, err := interleave(ctx, b.rounds,
		func(ctx context.Context) error {
			if err := os.RemoveAll(target); err != nil {
				return err
			}
			store, err := pack.Open(target, pack.Options{})
			if err != nil {
				return err
			}
			err = copyObject(ctx, source, store, func(to *ipfs.Node, from peer.AddrInfo) error {
				return to.Fetch(ctx, sealed.Ref.Object, []peer.AddrInfo{from}, budget)
			})
			return errors.Join(err, store.Close())
		},
		raw.run)
	if err != nil {
		return nil, err
	}
	store, err := pack.Open(target, pack.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	got, err := opened(ctx, store, sealed)
	if err != nil {
		return nil, fmt.Errorf("open the copy: %w", err)
	}
	want, err := hashFile(input)
	if err != nil {
		return nil, err
	}
	if string(got) != string(want) {
		return nil, errors.New("the copy opens to other bytes")
	}
	return []row{
		{
			number: "5", what: "copy disk to disk between two nodes by bitswap, verified, against a raw libp2p TLS stream", target: "≥ 0.4", measured: rates(samples[0], samples[1]).String(),
			raw: fmt.Sprintf("copy %.0f, raw stream %.0f MiB/s", throughput(b.size, samples[0]).median, throughput(b.size, samples[1]).median),
		},
		{
			number: "6", what: "processor seconds for each GB copied, both ends", target: "≤ 4", measured: cpuPer(1e9, b.size, samples[0]).String(),
			raw: fmt.Sprintf("raw stream %.2f", cpuPer(1e9, b.size, samples[1]).median),
		},
	}, nil
}

// copyObject runs f with a node over the target store that may connect to a node over the source store.
func copyObject(ctx context.Context, source, target blob.Store, f func(to *ipfs.Node, from peer.AddrInfo) error) (err error) {
	var nodes [2]*ipfs.Node
	for i, store := range []blob.Store{source, target} {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		config := ipfs.Config{Store: store, Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}}
		if nodes[i], err = ipfs.New(ctx, config); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, nodes[i].Close()) }()
	}
	from, to := nodes[0], nodes[1]
	from.SetAllowed(map[peer.ID][]multiaddr.Multiaddr{to.PeerID(): to.Addrs()})
	to.SetAllowed(map[peer.ID][]multiaddr.Multiaddr{from.PeerID(): from.Addrs()})
	return f(to, from.Info())
}

// rawStream sends a file over a libp2p stream.
type rawStream struct {
	path     string
	from, to host.Host
}

const rawProtocol = "/phrd-bench/raw/1"

func newRawStream(path string) (*rawStream, error) {
	s := &rawStream{path: path}
	for _, h := range []*host.Host{&s.from, &s.to} {
		made, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libp2ptls.ID, libp2ptls.New),
			libp2p.DisableRelay(), libp2p.DisableMetrics())
		if err != nil {
			return nil, err
		}
		*h = made
	}
	s.from.SetStreamHandler(rawProtocol, func(stream network.Stream) {
		f, err := os.Open(path)
		if err == nil {
			_, err = io.Copy(stream, f)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			// The reader counts the bytes and reports that some are missing.
			_ = stream.Reset()
			return
		}
		_ = stream.Close()
	})
	return s, nil
}

func (s *rawStream) run(ctx context.Context) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if err := s.to.Connect(ctx, peer.AddrInfo{ID: s.from.ID(), Addrs: s.from.Addrs()}); err != nil {
		return err
	}
	stream, err := s.to.NewStream(ctx, s.from.ID(), rawProtocol)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, stream)
	if err == nil && n != info.Size() {
		err = fmt.Errorf("raw stream gave %d of %d bytes", n, info.Size())
	}
	return errors.Join(err, stream.Close())
}

func (s *rawStream) close() error { return errors.Join(s.from.Close(), s.to.Close()) }
