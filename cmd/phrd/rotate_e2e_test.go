package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shown is what `phrd hospital show --json` tells of a hospital.
type shown struct {
	Member struct {
		Consensus string `json:"consensus_key"`
		Comet     string `json:"comet_id"`
		Account   string `json:"node_account"`
	} `json:"member"`
}

// newKeys is what `phrd hospital rotate-keys --json` prints.
type newKeys struct {
	Hospital int
	Comet    string `json:"comet_id"`
	Account  string `json:"node_account"`
	Admin    string
	File     string
}

// alone is a hospital whose server runs and which is a network of its own, and the path of its log.
func alone(t *testing.T) (p person, log string, stop func() int) {
	t.Helper()
	p = newOperator(t)
	offset, err := freeOffset()
	require.NoError(t, err)
	p.does(t, nil, initArguments("Hospital", offset)...)
	var n assembledNetwork
	p.does(t, &n, "network", "assemble", "--out", filepath.Join(filepath.Dir(p.home), "network"), filepath.Join(p.home, "member.json"))
	p.does(t, nil, "init", "--genesis", n.Genesis, "--hash", n.Hash)
	log = filepath.Join(filepath.Dir(p.home), "log")
	stop = p.serves(t, log)
	eventually(t, time.Minute, "the server is ready", func() bool { return p.runs(t, "status").code == 0 })
	return p, log, stop
}

// A hospital gives its server and its admin new keys. It is the only validator, so no block may come without the one key or the other.
func TestRotateKeys(t *testing.T) {
	t.Parallel()
	p, log, stop := alone(t)
	says := func(words string) int {
		text, err := os.ReadFile(log)
		require.NoError(t, err)
		return strings.Count(string(text), words)
	}
	var before, after shown
	p.does(t, &before, "hospital", "show", "1")
	p.fails(t, 2, "where the file is made", "hospital", "rotate-keys", "new-keys.json", "--admin", "successor")
	p.fails(t, 1, "no such key", "hospital", "rotate-keys", "--admin", "successor")
	p.fails(t, 1, "no such file", "hospital", "rotate-keys", "new-keys.json")

	// The file is for an admin whose key is elsewhere; nothing changes by it.
	file := filepath.Join(filepath.Dir(p.home), "new-keys.json")
	var prepared, said newKeys
	p.as("node").does(t, &prepared, "hospital", "rotate-keys", "--out", file)
	require.Equal(t, file, prepared.File)
	p.does(t, &after, "hospital", "show", "1")
	require.Equal(t, before, after)
	p.as("node").fails(t, 4, "role may not send this message", "hospital", "rotate-keys", file)

	p.does(t, nil, "keys", "add", "successor")
	p.does(t, &said, "hospital", "rotate-keys", "--admin", "successor")
	require.Equal(t, []string{prepared.Comet, prepared.Account}, []string{said.Comet, said.Account}, "keys that wait are used")
	eventually(t, time.Minute, "the server has its new keys", func() bool { return says("starts again with its new keys") > 0 && p.runs(t, "status").code == 0 })

	admin := p.as("successor")
	eventually(t, time.Minute, "the gateway serves", func() bool { return admin.runs(t, "hospital", "show", "1").code == 0 })
	admin.does(t, &after, "hospital", "show", "1")
	require.Equal(t, []string{said.Comet, said.Account}, []string{after.Member.Comet, after.Member.Account})
	require.NotEqual(t, before.Member.Consensus, after.Member.Consensus)
	admin.does(t, nil, "staff", "add", "dr-weber", "--role", "clinician") // and so there are further blocks
	p.fails(t, 4, "", "staff", "add", "dr-wolf", "--role", "clinician")
	admin.fails(t, 4, "try again later", "hospital", "rotate-keys")
	require.Zero(t, stop())

	// It goes on, as any server does.
	stop = p.serves(t, log)
	eventually(t, time.Minute, "the server is ready again", func() bool { return p.runs(t, "status").code == 0 })
	admin.does(t, nil, "staff", "add", "dr-wolf", "--role", "clinician")
	require.Zero(t, stop())
}

// A server is stopped when its hospital replaces its keys, which goes through another hospital's gateway. Asked once more, the command puts
// the new keys in place by hand, for after an hour the others hang up on the old ones; the server goes on with them.
func TestRotateKeysOfAStoppedServer(t *testing.T) {
	n := startNet(t)
	const third = 3
	p := n.hospital(third)
	p.does(t, nil, "hospital", "list") // and the other gateways are known from then on
	n.turn(t, "stop", third)
	var said, again newKeys
	p.does(t, &said, "hospital", "rotate-keys")
	p.does(t, &again, "hospital", "rotate-keys")
	require.Equal(t, said, again)
	require.NoFileExists(t, filepath.Join(p.home, "config", "next_node_key.json"))
	require.FileExists(t, filepath.Join(p.home, "config", "next_priv_validator_key.json"), "it waits for what the own chain says")
	n.turn(t, "start", third)
	eventually(t, time.Minute, "the server has all its new keys", func() bool {
		_, err := os.Stat(filepath.Join(p.home, "config", "next_priv_validator_key.json"))
		return os.IsNotExist(err) && p.runs(t, "status").code == 0
	})
	var is shown
	p.does(t, &is, "hospital", "show", "3")
	require.Equal(t, []string{said.Comet, said.Account}, []string{is.Member.Comet, is.Member.Account})
}

// servedPages is what `phrd hospital pages --json` says of a hospital.
type servedPages struct {
	Hospital uint64
	Name     string
	Pages    string
	Accepted bool
	Error    string
}

// The hospitals vote for pages, and for another admin where the only one is lost.
func TestProposals(t *testing.T) {
	t.Parallel()
	p, _, stop := alone(t)
	// It votes for the pages that its program serves.
	var program struct{ Pages string }
	p.does(t, &program, "version")
	var served []servedPages
	p.does(t, &served, "hospital", "pages")
	require.Equal(t, []servedPages{{Hospital: 1, Name: "Hospital", Pages: program.Pages}}, served)
	p.fails(t, 2, "no SHA-256", "hospital", "propose", "pages", program.Pages[1:])
	p.does(t, nil, "hospital", "propose", "pages")
	p.does(t, nil, "hospital", "vote", "1", "yes")
	eventually(t, time.Minute, "the pages are accepted", func() bool {
		p.does(t, &served, "hospital", "pages")
		return served[0].Accepted
	})
	p.fails(t, 1, "accepted already", "hospital", "propose", "pages")

	var next struct{ Address string }
	p.does(t, &next, "keys", "add", "successor")
	p.fails(t, 2, "nobody", "hospital", "propose", "admin", "1", "nobody")
	var proposed struct{ Proposal int }
	p.does(t, &proposed, "hospital", "propose", "admin", "1", next.Address)
	require.Equal(t, 2, proposed.Proposal)
	// Where nobody else votes, the account ends with its own vote, and may not ask what became of it.
	p.fails(t, 4, "none that may act now", "hospital", "vote", "2", "yes")
	admin := p.as("successor")
	eventually(t, time.Minute, "the vote is carried out", func() bool {
		return admin.runs(t, "staff", "add", "dr-weber", "--role", "clinician").code == 0
	})
	p.fails(t, 4, "", "staff", "add", "dr-wolf", "--role", "clinician")
	require.Zero(t, stop())
}
