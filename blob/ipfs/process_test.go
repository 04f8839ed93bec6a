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
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
)

// childDir makes the test binary a second process: a node over the pack store there.
const childDir = "PHRD_IPFS_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func cidOf(b []byte) lock.CID { return lock.RawCID(sha256.Sum256(b)) }

// processObject is what the child stores and the parent fetches.
func processObject() *blobtest.Object { return blobtest.NewObject(7, blobtest.Sizes(24<<20+777)...) }

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
