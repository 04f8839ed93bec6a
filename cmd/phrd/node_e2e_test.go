package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// storageNode is what `phrd hospital nodes --json` tells of one.
type storageNode struct {
	Number, Hospital, Site         int
	Status, Account, Peer, Address string
	Capacity                       uint64
}

// A hospital adds a workstation that stores blobs, by the commands of its admin and of who sets the machine up.
func TestFurtherStorageNode(t *testing.T) {
	t.Parallel()
	hospital, node := newOperator(t), newOperator(t)
	offset, err := freeOffset()
	require.NoError(t, err)
	hospital.does(t, nil, initArguments("Hospital", offset)...)
	var n assembledNetwork
	hospital.does(t, &n, "network", "assemble", "--out", filepath.Join(filepath.Dir(hospital.home), "network"), filepath.Join(hospital.home, "member.json"))
	hospital.does(t, nil, "init", "--genesis", n.Genesis, "--hash", n.Hash)
	stopHospital := hospital.serves(t, filepath.Join(filepath.Dir(hospital.home), "log"))
	eventually(t, time.Minute, "the server is ready", func() bool { return hospital.runs(t, "status").code == 0 })

	create := []string{
		"init", "--storage-only", "--genesis", n.Genesis, "--hospital", "Hospital", "--site", "2", "--listen", "127.0.0.1",
		"--port-offset", fmt.Sprint(offset + 10), "--capacity", "2GiB", "--hash",
	}
	node.fails(t, 1, "another hash", append(create, strings.Repeat("0", 64))...)
	node.fails(t, 2, "--hash", create[:len(create)-1]...)
	node.fails(t, 2, "--site is missing", "init", "--storage-only", "--genesis", n.Genesis, "--hospital", "Hospital", "--hash", n.Hash)
	node.fails(t, 2, "leave it out", append(create, n.Hash, "--time-zone", "Etc/UTC")...)
	var made struct {
		Node         string
		Fingerprints struct {
			Comet string `json:"comet_id"`
			Peer  string `json:"peer_id"`
		}
	}
	node.does(t, &made, append(create, n.Hash)...)
	require.Contains(t, hospital.does(t, nil, "hospital", "add-node", made.Node, "--show"), made.Fingerprints.Comet)
	node.fails(t, 1, "has no gateway", "status")
	node.fails(t, 2, "home of a storage node", "init", "--genesis", n.Genesis, "--hash", n.Hash)
	hospital.fails(t, 2, "hospital's own server", "start", "--storage-only")

	// It may be started first.
	log := filepath.Join(filepath.Dir(node.home), "log")
	stopNode := node.serves(t, log)
	says := func(words string) func() bool {
		return func() bool {
			text, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(text), words)
		}
	}
	eventually(t, time.Minute, "the node waits to be registered", says("no hospital's node admits this storage node"))
	hospital.fails(t, 4, "no such site", "hospital", "add-node", made.Node)
	hospital.does(t, nil, "hospital", "site", "add", "Annex", "--time-zone", "Europe/Vienna")
	hospital.fails(t, 2, "site 2, not 1", "hospital", "add-node", made.Node, "--site", "1")
	hospital.does(t, nil, "hospital", "add-node", made.Node, "--site", "2")

	var nodes []storageNode
	eventually(t, time.Minute, "the node is alive", func() bool {
		nodes = nil
		hospital.does(t, &nodes, "hospital", "nodes")
		return len(nodes) == 2 && nodes[1].Status == "alive"
	})
	require.Equal(t, 2, nodes[1].Site)
	require.EqualValues(t, 2<<30, nodes[1].Capacity)
	require.Contains(t, hospital.does(t, nil, "hospital", "nodes", "1"), made.Fingerprints.Peer)

	// It is examined as a hospital's server is, without what it does not have.
	found := node.examined(t, 0)
	for _, check := range []string{"server", "chain", "peers", "addresses", "clock", "permissions"} {
		require.Equal(t, "ok", found[check].Status, "%+v", found[check])
	}
	require.NotContains(t, found, "share")
	require.NotContains(t, found, "certificate")

	hospital.does(t, nil, "hospital", "retire-node", "2")
	eventually(t, time.Minute, "the node is retired", func() bool {
		nodes = nil
		hospital.does(t, &nodes, "hospital", "nodes")
		return nodes[1].Status == "retired"
	})
	hospital.givesUpASite(t)
	require.Zero(t, stopNode())
	require.Zero(t, hospital.runs(t, "status").code, "the hospital goes on")
	require.Zero(t, stopHospital())
}

// givesUpASite is the end of a site: nothing stands there any more.
func (p person) givesUpASite(t *testing.T) {
	t.Helper()
	p.fails(t, 4, "a storage node that is not retired stands at the site", "hospital", "site", "remove", "1")
	p.fails(t, 2, "nothing changes", "hospital", "site", "update", "2")
	p.does(t, nil, "hospital", "site", "update", "2", "--name", "North wing")
	p.does(t, nil, "hospital", "site", "remove", "2")
	p.fails(t, 4, "no such site", "hospital", "site", "remove", "2")
	var sites []struct {
		Number, Name string
		Removed      bool
	}
	p.does(t, &sites, "hospital", "site", "list", "1")
	require.Len(t, sites, 2)
	require.Equal(t, "North wing", sites[1].Name)
	require.True(t, sites[1].Removed)
	require.False(t, sites[0].Removed)
}
