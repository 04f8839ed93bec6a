package ipfs_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
)

const (
	// childDir makes the test binary a second process: a node over the pack store there.
	childDir = "PHRD_IPFS_DIR"
	// childFrom makes the child fetch the object from the peer at this address.
	childFrom = "PHRD_IPFS_FROM"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child := serve
		if os.Getenv(childFrom) != "" {
			child = fetch
		}
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func cidOf(b []byte) lock.CID { return lock.RawCID(sha256.Sum256(b)) }

// processObject is what the child stores and the parent fetches.
func processObject() *blobtest.Object { return blobtest.NewObject(7, blobtest.Sizes(10<<20+777)...) }

// serve is the child: it stores the object, says where it listens, and serves until its
// standard input ends.
func serve(dir string) (err error) {
	store, err := pack.Open(dir, pack.Options{Reserve: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ctx := context.Background()
	if err := processObject().Put(ctx, store); err != nil {
		return err
	}
	allowed, err := peer.Decode(os.Getenv(childDir + "_ALLOWED"))
	if err != nil {
		return err
	}
	node, err := ipfs.New(ctx, ipfs.Config{Store: store, Key: key(1), Listen: []string{loopback}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	node.SetAllowed(map[peer.ID][]multiaddr.Multiaddr{allowed: nil})
	fmt.Fprintf(os.Stdout, "%s/p2p/%s\n", node.Addrs()[0], node.PeerID())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// saying is a store that says on standard output when a Sync is done.
type saying struct{ blob.Store }

func (s saying) Begin(ctx context.Context, hint blob.Hint) (blob.Batch, error) {
	batch, err := s.Store.Begin(ctx, hint)
	return sayingBatch{batch}, err
}

type sayingBatch struct{ blob.Batch }

func (b sayingBatch) Sync(ctx context.Context) error {
	err := b.Batch.Sync(ctx)
	if err == nil {
		fmt.Fprintln(os.Stdout, "durable")
	}
	return err
}

// fetch is the child that fetches the object.
func fetch(dir string) error {
	store, err := pack.Open(dir, pack.Options{Reserve: -1})
	if err != nil {
		return err
	}
	from, err := peer.AddrInfoFromString(os.Getenv(childFrom))
	if err != nil {
		return err
	}
	ctx := context.Background()
	node, err := ipfs.New(ctx, ipfs.Config{Store: saying{store}, Key: key(1), Allowed: map[peer.ID][]multiaddr.Multiaddr{from.ID: nil}})
	if err != nil {
		return err
	}
	o := processObject()
	return errors.Join(node.Fetch(ctx, o.Root, []peer.AddrInfo{*from}, o.Bytes), node.Close(), store.Close())
}

// TestKilledFetchGoesOn kills a process with SIGKILL while it fetches. Another one goes on
// with what was durable.
func TestKilledFetchGoesOn(t *testing.T) {
	o := processObject()
	var reads atomic.Int64
	far := launch(t, 2, asked{holding(t, o, o.CIDs...), func(ctx context.Context) error {
		if reads.Add(1) > 6 {
			<-ctx.Done() // the fetch can't end before it is killed
		}
		return ctx.Err()
	}}, nil)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childFrom+"="+far.Addrs()[0].String()+"/p2p/"+far.PeerID().String())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "durable\n" {
		t.Errorf("child said %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended before it was killed")
	}
	store, err := pack.Open(dir, pack.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	missing, err := blob.Missing(t.Context(), store, o.CIDs)
	if err != nil || len(missing) == 0 || len(missing) > len(o.CIDs)-2 {
		t.Fatalf("%d of %d blocks are missing, %v", len(missing), len(o.CIDs), err)
	}
	lost := 0
	for _, c := range missing {
		lost += len(o.Blocks[c])
	}
	sound, node := launch(t, 3, holding(t, o, o.CIDs...), nil), launch(t, 4, store, nil)
	if err := node.Fetch(t.Context(), o.Root, infos(sound), o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), store, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	if got := node.Traffic().Fetched; got != uint64(lost) {
		t.Errorf("%d bytes were fetched again, %d were lost", got, lost)
	}
}

// startChild starts the second process, which allows the n-th node.
func startChild(t *testing.T, allowed byte) peer.AddrInfo {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self) // it ends with its standard input
	cmd.Env = append(os.Environ(), childDir+"="+t.TempDir(), childDir+"_ALLOWED="+peerID(t, allowed).String())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("child: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("child said %q, %v", line, err)
	}
	info, err := peer.AddrInfoFromString(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return *info
}

func TestTwoProcessesCopyAnObjectFromDiskToDisk(t *testing.T) {
	far := startChild(t, 2)
	store, err := pack.Open(t.TempDir(), pack.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	o := processObject()
	node := start(t, 2, store, 1)
	if err := node.Fetch(t.Context(), o.Root, []peer.AddrInfo{far}, o.Bytes); err != nil {
		t.Fatal(err)
	}
	if err := blob.Verify(t.Context(), store, o.Root, o.Bytes); err != nil {
		t.Error(err)
	}
	for _, c := range o.CIDs {
		if _, err := store.Cold().Get(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	// The child does not list a third node.
	other, err := pack.Open(t.TempDir(), pack.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	stranger := start(t, 3, other, 1)
	if err := stranger.Fetch(t.Context(), o.Root, []peer.AddrInfo{far}, o.Bytes); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("stranger: got %v, want %v", err, ipfs.ErrUnreachable)
	}
	if n := held(t, other, o); n != 0 {
		t.Errorf("stranger: %d blocks came over", n)
	}
}
