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
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// copies measures rows 5 to 7: an object copied from the disk of one node to that of another, verified and durable, against a raw
// libp2p stream over TLS of the same bytes; and to three others at once, which may feed each other. All ends are in this process.
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
	object := copied{source: source, root: sealed.Ref.Object, budget: uint64(b.size) + uint64(b.size)/10 + 64*mib}
	targets := make([]string, 3)
	for i := range targets {
		targets[i] = filepath.Join(b.dir, fmt.Sprintf("target-%d", i))
	}
	raw, err := newRawStream(input)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, raw.close()) }()
	var shares []float64
	samples, err := interleave(ctx, b.rounds,
		func(ctx context.Context) error { _, err := object.copy(ctx, targets[:1]); return err },
		raw.run,
		func(ctx context.Context) error {
			sent, err := object.copy(ctx, targets)
			shares = append(shares, float64(sent)/float64(b.size))
			return err
		})
	if err != nil {
		return nil, err
	}
	want, err := hashFile(input)
	if err != nil {
		return nil, err
	}
	for _, dir := range targets {
		if err := checkCopy(ctx, dir, sealed, want); err != nil {
			return nil, err
		}
	}
	three := make([]float64, len(samples[2]))
	for i, s := range samples[2] {
		three[i] = s.wall.Seconds() / 3 / samples[0][i].wall.Seconds()
	}
	return []row{
		{
			number: "5", what: "copy disk to disk between two nodes, verified, against a raw libp2p TLS stream", target: "≥ 0.4", measured: rates(samples[0], samples[1]).String(),
			raw: fmt.Sprintf("copy %.0f, raw stream %.0f MiB/s", throughput(b.size, samples[0]).median, throughput(b.size, samples[1]).median),
		},
		{
			number: "6", what: "processor seconds for each GB copied, both ends", target: "≤ 4", measured: cpuPer(1e9, b.size, samples[0]).String(),
			raw: fmt.Sprintf("raw stream %.2f", cpuPer(1e9, b.size, samples[1]).median),
		},
		{
			number: "7", what: "three copies at once against one, time for each byte", target: "≤ 1.3", measured: spreadOf(three).String(),
			raw: fmt.Sprintf("three copies %.0f MiB/s together, of 3 objects the origin sent %.1f", throughput(3*b.size, samples[2]).median, spreadOf(shares).median),
		},
	}, nil
}

// checkCopy opens the copy in a folder and compares it with the hash of the input.
func checkCopy(ctx context.Context, dir string, sealed *seal.Sealed, want []byte) (err error) {
	store, err := pack.Open(dir, pack.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	got, err := opened(ctx, store, sealed)
	if err != nil {
		return fmt.Errorf("open the copy: %w", err)
	}
	if string(got) != string(want) {
		return errors.New("the copy opens to other bytes")
	}
	return nil
}

// copied is an object that is copied to other nodes.
type copied struct {
	source blob.Store
	root   lock.CID
	budget uint64
}

// copy copies the object to new stores in these folders, at the same time, where each node knows all others. It returns how many
// bytes the node over the source sent.
func (c copied) copy(ctx context.Context, dirs []string) (sent uint64, err error) {
	stores := []blob.Store{c.source}
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			return 0, err
		}
		store, openErr := pack.Open(dir, pack.Options{})
		if openErr != nil {
			return 0, openErr
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		stores = append(stores, store)
	}
	nodes := make([]*ipfs.Node, len(stores))
	for i, store := range stores {
		_, key, keyErr := ed25519.GenerateKey(rand.Reader)
		if keyErr != nil {
			return 0, keyErr
		}
		if nodes[i], err = ipfs.New(ctx, ipfs.Config{Store: store, Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}}); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, nodes[i].Close()) }()
	}
	list := map[peer.ID][]multiaddr.Multiaddr{}
	var infos []peer.AddrInfo
	for _, n := range nodes {
		list[n.PeerID()] = n.Addrs()
		infos = append(infos, n.Info())
	}
	for _, n := range nodes {
		n.SetAllowed(list)
	}
	results := make(chan error, len(dirs))
	for _, n := range nodes[1:] {
		go func() { results <- n.Fetch(ctx, c.root, infos, c.budget) }()
	}
	var errs []error
	for range dirs {
		errs = append(errs, <-results)
	}
	return nodes[0].Traffic().Sent, errors.Join(errs...)
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
