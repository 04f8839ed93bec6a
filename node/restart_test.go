package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/wallet"
)

// The test binary runs itself as a hospital's server, which these variables describe.
const (
	serverChain = "PHRD_NODE_CHAIN" // address of the chain's gRPC server
	serverDir   = "PHRD_NODE_DIR"   // folder of the pack store
	serverKey   = "PHRD_NODE_KEY"   // the account's secret in hex
	serverNode  = "PHRD_NODE_NUMBER"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverChain) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// serve is a server of a hospital: its store, its IPFS node, its peers and its replicator.
func serve(ctx context.Context) (err error) {
	conn, err := grpc.NewClient(os.Getenv(serverChain), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var secret []byte
	if _, err := fmt.Sscanf(os.Getenv(serverKey), "%x", &secret); err != nil {
		return err
	}
	key, err := wallet.KeyFromBytes(secret)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(os.Getenv(serverNode))
	if err != nil {
		return err
	}
	store, err := pack.Open(os.Getenv(serverDir), pack.Options{Reserve: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	n, err := ipfs.New(ctx, ipfs.Config{Store: store, Key: ipfsKey(byte(number)), Patience: 4 * time.Second})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	log := slog.New(slog.DiscardHandler)
	chain, err := node.NewClient(node.ClientConfig{Conn: conn, Key: key, PollInterval: 20 * time.Millisecond, Log: log})
	if err != nil {
		return err
	}
	peers, err := node.NewPeers(node.PeersConfig{Chain: chain, Node: n, Log: log})
	if err != nil {
		return err
	}
	replicator, err := node.NewReplicator(node.ReplicatorConfig{Chain: chain, Store: store, Copier: n, Peers: peers, Log: log})
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- peers.Run(ctx) }()
	go func() { ended <- replicator.Run(ctx) }()
	return errors.Join(<-ended, <-ended)
}

// TestKilledServerGoesOnWhereItWas kills a server with signal 9 in the middle of its
// copies, again and again, and lets it finish.
func TestKilledServerGoesOnWhereItWas(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	clinic := newHospital(t, l, openPack(t, t.TempDir()))
	var scans []scan
	var total int
	for i := range uint64(6) {
		scans = append(scans, newScan(t, clinic.store, 1+i, 6<<20))
	}
	for i := range uint64(60) {
		scans = append(scans, newScan(t, clinic.store, 100+i, 3000))
	}
	dir, key := t.TempDir(), newKey(t)
	number := l.addNode(key.Address(), peerIDOf(t, 2), "/ip4/127.0.0.1/tcp/9")
	for _, s := range scans {
		l.place(s.placed(clinic), number)
		total += len(s.all())
	}
	start := func() *exec.Cmd {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), serverChain+"="+l.address, serverDir+"="+dir,
			serverKey+"="+fmt.Sprintf("%x", key.Bytes()), serverNode+"="+strconv.FormatUint(number, 10))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	confirmed := func() int {
		n := 0
		for _, s := range scans {
			if l.copyOf(s.cid(), number) == held {
				n++
			}
		}
		return n
	}
	rounds := 0
	for before := 0; before < len(scans)/2 && rounds < 3; rounds++ {
		cmd := start()
		eventually(t, "the server has confirmed more", func() bool { return confirmed() > before })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("server ended by itself: %v", err)
		}
		before = confirmed()
		// Whatever was confirmed is there, whole, after the kill.
		s, err := pack.Open(dir, pack.Options{Reserve: -1})
		if err != nil {
			t.Fatal(err)
		}
		for _, scan := range scans {
			if l.copyOf(scan.cid(), number) != held {
				continue
			}
			if err := scan.complete(t.Context(), s); err != nil {
				t.Errorf("round %d: %s was confirmed: %v", rounds, scan.cid(), err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cmd := start()
	eventually(t, "all copies are confirmed", func() bool { return confirmed() == len(scans) })
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
		t.Errorf("server: %v", err)
	}
	s := openPack(t, dir)
	for _, scan := range scans {
		if err := scan.complete(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
	t.Logf("killed %d times; %d objects, %d blocks", rounds, len(scans), total)
}

// TestStoppedReplicatorFetchesOnlyWhatItLacks stops a replicator in the middle of one
// object and starts another over the same store.
func TestStoppedReplicatorFetchesOnlyWhatItLacks(t *testing.T) {
	l := newLedger(t)
	l.commitAlways()
	far := &tired{Store: openPack(t, t.TempDir())}
	near := &receiving{Store: openPack(t, t.TempDir())}
	clinic, heart := newHospital(t, l, far), newHospital(t, l, near)
	s := newScan(t, clinic.store, 1, 50<<20)
	l.place(s.placed(clinic), heart.number)
	far.left.Store(30)
	stop := run(t, heart.replicator(nil).Run, nil)
	eventually(t, "25 blocks have come", func() bool { return near.puts.Load() >= 25 })
	stop()
	missing := 0
	for _, c := range s.all() {
		if err := blobtest.Lacks(t.Context(), heart.store, c); err == nil {
			missing++
		}
	}
	if missing == 0 || missing > len(s.all())-20 {
		t.Fatalf("%d of %d blocks are missing in the middle", missing, len(s.all()))
	}
	far.left.Store(math.MaxInt64)
	near.puts.Store(0)
	run(t, heart.replicator(nil).Run, nil)
	heart.awaitCopy(s.cid(), held)
	if err := s.complete(t.Context(), heart.store); err != nil {
		t.Error(err)
	}
	// Inner nodes are put again, at each try.
	if puts := int(near.puts.Load()); puts < missing || puts > missing+10 {
		t.Errorf("%d blocks were put for %d missing ones", puts, missing)
	}
}

// receiving is a store that counts what a fetch puts.
type receiving struct {
	*pack.Store
	puts atomic.Int64
}

func (r *receiving) Begin(ctx context.Context, hint blob.Hint) (blob.Batch, error) {
	batch, err := r.Store.Begin(ctx, hint)
	return receivingBatch{batch, r}, err
}

type receivingBatch struct {
	blob.Batch
	store *receiving
}

func (b receivingBatch) PutTrusted(c lock.CID, block []byte) error {
	b.store.puts.Add(1)
	return b.Batch.PutTrusted(c, block)
}

// A server that was restored, or lost its disk, reads the chain from its beginning. What it held is not in the states it passes through on the
// way, so it looks for what it holds once it has one that is newer than its start.
func TestWhatIsHeldIsCheckedInANewState(t *testing.T) {
	l := newLedger(t)
	clinic, heart := newHospital(t, l, memory.New()), newHospital(t, l, memory.New())
	s := newScan(t, clinic.store, 1, 5<<20)
	l.commitAt(time.Now().Add(-10 * time.Second))
	var asked atomic.Int64
	l.set(func() {
		l.broken = func(method string) error {
			switch method {
			case cmtservice.Service_GetLatestBlock_FullMethodName, storagev1.Query_Holdings_FullMethodName:
				asked.Add(1)
			}
			return nil
		}
	})
	r := heart.replicator(nil)
	run(t, r.Run, nil)
	eventually(t, "the start of the check", func() bool { return asked.Load() > 0 })

	l.place(s.placed(clinic), heart.number)
	l.set(func() { l.objects[s.cid()].Copies[0].Status = held })
	l.commitAlways()
	eventually(t, "the lost copy is reported", func() bool { return r.ScrubStats().Lost == 1 })
	eventually(t, "the lost copy is held again", func() bool { return r.ScrubStats().Healed == 1 })
}
