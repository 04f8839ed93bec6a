package main_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/phrd/phrd/wallet"
)

// newOperator is somebody with an empty folder and a passphrase.
func newOperator(t *testing.T) person {
	t.Helper()
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	dir := t.TempDir()
	p := person{home: filepath.Join(dir, "home"), passphrase: filepath.Join(dir, "passphrase")}
	require.NoError(t, os.WriteFile(p.passphrase, []byte("correct horse battery\n"), 0o600))
	return p
}

// initArguments make a home whose ports are moved.
func initArguments(name string, offset int) []string {
	return []string{
		"init", "--hospital", name, "--site", "Vienna", "--time-zone", "Europe/Vienna", "--listen", "127.0.0.1",
		"--port-offset", fmt.Sprint(offset), "--fast",
	}
}

// assembledNetwork is what `phrd network assemble --json` prints.
type assembledNetwork struct {
	NetworkID string `json:"network_id"`
	Genesis   string `json:"genesis"`
	Hash      string `json:"hash"`
	Threshold int    `json:"threshold"`
	Members   []struct {
		Number   int    `json:"number"`
		Hospital string `json:"hospital"`
		Gateway  string `json:"gateway_fingerprint"`
	} `json:"members"`
}

// A hospital alone goes the whole way: home, network, server, status, stop.
func TestOneHospital(t *testing.T) {
	t.Parallel()
	p := newOperator(t)
	offset, err := freeOffset()
	require.NoError(t, err)
	var made struct {
		Member       string `json:"member"`
		Fingerprints struct {
			Gateway string `json:"gateway_fingerprint"`
		} `json:"fingerprints"`
	}
	p.does(t, &made, initArguments("Hospital", offset)...)

	p.fails(t, 1, "no network accepted yet", "start")
	p.fails(t, 1, "exists already", initArguments("Hospital", offset)...)

	var n assembledNetwork
	p.does(t, &n, "network", "assemble", "--out", filepath.Join(filepath.Dir(p.home), "network"), made.Member)
	require.Equal(t, 1, n.Threshold)
	require.Equal(t, made.Fingerprints.Gateway, n.Members[0].Gateway)
	// The same inputs give the same file, and no secret is in it: the key is made when the server runs.
	at := []string{"network", "assemble", "--time", "2027-01-31T12:00:00Z", made.Member, "--out"}
	var one, two assembledNetwork
	p.does(t, &one, append(at, filepath.Join(filepath.Dir(p.home), "one"))...)
	p.does(t, &two, append(at, filepath.Join(filepath.Dir(p.home), "two"))...)
	require.Equal(t, one.Hash, two.Hash)
	require.Equal(t, []string{"genesis.json"}, names(t, filepath.Dir(two.Genesis)))

	accept := []string{"init", "--genesis", n.Genesis, "--hash"}
	p.fails(t, 1, "another hash", append(accept, strings.Repeat("0", 64))...)
	p.fails(t, 2, "--hash", "init", "--genesis", n.Genesis)
	p.does(t, nil, append(accept, n.Hash)...)
	require.Equal(t, 3, p.runs(t, "status").code)

	log := filepath.Join(filepath.Dir(p.home), "log")
	stop := p.serves(t, log)
	var status struct {
		Ready     bool   `json:"ready"`
		Hospital  int    `json:"hospital"`
		NetworkID string `json:"network_id"`
		Height    int    `json:"height"`
	}
	eventually(t, time.Minute, "the server is ready", func() bool { return p.runs(t, "status").code == 0 })
	p.does(t, &status, "status")
	require.True(t, status.Ready)
	require.Equal(t, 1, status.Hospital)
	require.Equal(t, n.NetworkID, status.NetworkID)
	require.Positive(t, status.Height)

	require.Equal(t, []networkKey{{Kind: "records", Generation: 1, Epoch: 1, Origin: "dkg", Threshold: 1, Holders: []keyHolder{{1, true}}}}, p.keys(t))

	checkLoopback(t, offset)
	r := p.fails(t, 1, "running already", "start")
	require.Contains(t, r.errors, "phrd: hint: ")

	require.Zero(t, stop())
	require.Equal(t, 3, p.runs(t, "status").code)
	said, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NotContains(t, string(said), " ERR ")
	require.Contains(t, string(said), "stopped")

	// The chain goes on where it stopped.
	stop = p.serves(t, log)
	before := status.Height
	eventually(t, time.Minute, "the server is ready again", func() bool { return p.runs(t, "status").code == 0 })
	p.does(t, &status, "status")
	require.Greater(t, status.Height, before)
	require.Zero(t, stop())
}

// checkLoopback asks the node's own gRPC and REST servers.
func checkLoopback(t *testing.T, offset int) {
	t.Helper()
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", 9090+offset), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	health, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, healthv1.HealthCheckResponse_SERVING, health.GetStatus())

	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	require.NoError(t, err)
	var names []string
	for _, request := range []*reflectionv1.ServerReflectionRequest{
		{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{ListServices: "*"}},
		{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "phrd.records.v1.Query"}},
	} {
		require.NoError(t, stream.Send(request))
		response, err := stream.Recv()
		require.NoError(t, err)
		require.Nil(t, response.GetErrorResponse())
		for _, s := range response.GetListServicesResponse().GetService() {
			names = append(names, s.GetName())
		}
	}
	require.NoError(t, stream.CloseSend())
	for _, module := range []string{"access", "audit", "consortium", "custody", "records", "storage"} {
		require.Contains(t, names, "phrd."+module+".v1.Query")
	}

	rest := fmt.Sprintf("http://127.0.0.1:%d", 1317+offset)
	for _, c := range []struct {
		path, height string
		code         int
		contains     string
	}{
		{"/phrd/consortium/v1/members", "", 200, `"name":"Hospital"`},
		{"/phrd/consortium/v1/members/2", "", 404, `"code":5`},
		{"/phrd/consortium/v1/members?pagination.limit=201", "", 400, "at most 200"},
		{"/phrd/consortium/v1/members", "yesterday", 400, "is no height"},
		{"/phrd/consortium/v1/members", "-1", 400, "is no height"},
		{"/phrd/consortium/v1/members", "1000000", 400, "height"},
		{"/phrd/nothing/v1/here", "", 404, ""},
		{"/cosmos/auth/v1beta1/accounts?pagination.limit=201", "", 400, "at most 200"},
		{"/cosmos/bank/v1beta1/balances/" + accountOfNobody, "", 200, `"balances":[]`},
		{"/cosmos/base/tendermint/v1beta1/blocks/latest", "", 200, `"chain_id":"phrd-1"`},
		{"/openapi/", "", 200, "swagger-ui"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rest+c.path, nil)
		require.NoError(t, err)
		if c.height != "" {
			request.Header.Set("x-cosmos-block-height", c.height)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, errors.Join(err, response.Body.Close()))
		require.Equal(t, c.code, response.StatusCode, "%s: %s", c.path, body)
		require.Contains(t, strings.ReplaceAll(string(body), `": `, `":`), c.contains, c.path)
	}
}

// accountOfNobody is an address that the network does not know.
var accountOfNobody = wallet.AddressOf(append([]byte{2}, make([]byte, 32)...))

// serves runs the server of this home, with its log in a file, until the returned function stops it; that gives its exit code.
func (p person) serves(t *testing.T, log string) (stop func() int) {
	t.Helper()
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	cmd := p.command(t.Context(), "start")
	cmd.Stdout, cmd.Stderr = f, f
	require.NoError(t, cmd.Start())
	require.NoError(t, f.Close())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its exit code is looked at below
	}()
	return func() int {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		<-ended
		return cmd.ProcessState.ExitCode()
	}
}

func TestStartRefuses(t *testing.T) {
	p := newOperator(t)
	p.fails(t, 1, "not the home of a hospital", "start")

	offset, err := freeOffset()
	require.NoError(t, err)
	p.does(t, nil, initArguments("Hospital", offset)...)
	var n assembledNetwork
	p.does(t, &n, "network", "assemble", "--out", filepath.Join(filepath.Dir(p.home), "network"), filepath.Join(p.home, "member.json"))
	p.does(t, nil, "init", "--genesis", n.Genesis, "--hash", n.Hash)

	t.Run("loose permissions", func(t *testing.T) {
		for _, name := range []string{"config/priv_validator_key.json", "config/node_key.json", "config/gateway.key", "keys/identity.age", "keys/account/node.age"} {
			path := filepath.Join(p.home, name)
			require.NoError(t, os.Chmod(path, 0o644))
			r := p.fails(t, 1, "too loose", "start")
			require.Contains(t, r.errors, "chmod", name)
			require.NoError(t, os.Chmod(path, 0o600))
		}
		require.NoError(t, os.Chmod(p.passphrase, 0o644))
		p.fails(t, 1, "too loose", "start")
		require.NoError(t, os.Chmod(p.passphrase, 0o600))
	})
	t.Run("wrong passphrase", func(t *testing.T) {
		wrong := p
		wrong.passphrase = filepath.Join(t.TempDir(), "wrong")
		require.NoError(t, os.WriteFile(wrong.passphrase, []byte("correct horse batterY\n"), 0o600))
		wrong.fails(t, 1, "wrong passphrase", "start")
	})
	t.Run("no passphrase", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), program, "start", "--home", p.home)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "--passphrase-file")
	})
	t.Run("port in use", func(t *testing.T) {
		for _, port := range []int{26656, 4001, 8443} {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+offset))
			require.NoError(t, err)
			r := p.fails(t, 1, "port is in use", "start")
			require.Contains(t, r.errors, fmt.Sprint(port+offset))
			require.Contains(t, r.errors, "phrd: hint: ")
			require.NoError(t, l.Close())
		}
	})
	t.Run("damaged configuration", func(t *testing.T) {
		path := filepath.Join(p.home, "config", "app.toml")
		good, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte("[phrd\n"), 0o600))
		p.fails(t, 1, "app.toml", "start")
		require.NoError(t, os.WriteFile(path, good, 0o600))
	})
	t.Run("lost signing state", func(t *testing.T) {
		path := filepath.Join(p.home, "data", "priv_validator_state.json")
		require.NoError(t, os.Rename(path, path+".away"))
		p.fails(t, 1, "priv_validator_state.json", "start")
		require.NoError(t, os.Rename(path+".away", path))
	})
}

func TestInitRefuses(t *testing.T) {
	t.Parallel()
	p := newOperator(t)
	p.fails(t, 2, "--hospital is missing", "init", "--site", "Vienna", "--time-zone", "Europe/Vienna", "--host", "phrd.example.org")
	p.fails(t, 2, "--host is missing", "init", "--hospital", "H", "--site", "Vienna", "--time-zone", "Europe/Vienna")
	p.fails(t, 1, "no IANA name", "init", "--hospital", "H", "--site", "Vienna", "--time-zone", "Mars", "--host", "phrd.example.org")
	p.fails(t, 2, "is no size", "init", "--hospital", "H", "--site", "Vienna", "--time-zone", "Europe/Vienna", "--host", "phrd.example.org", "--capacity", "much")
	p.fails(t, 2, "unknown flag", "init", "--hospitl", "H")
	p.fails(t, 2, "unknown command", "innit")
	_, err := os.Stat(p.home)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A home is backed up, and comes back elsewhere with the same keys.
func TestBackupOfAHome(t *testing.T) {
	t.Parallel()
	p := newOperator(t)
	var before, after struct{ Address string }
	p.does(t, nil, initArguments("Hospital", 0)...)
	p.does(t, &before, "keys", "show", "admin")
	file := filepath.Join(t.TempDir(), "hospital.phrd-backup")
	p.fails(t, 2, "--out is missing", "backup")
	p.fails(t, 2, "--recipient", "backup", "--out", file, "--recipient", "age1nobody")
	p.fails(t, 1, "no such file", "backup", "--out", filepath.Join(t.TempDir(), "no", "folder"))
	var made struct {
		Hospital string
		Size     int64
	}
	p.does(t, &made, "backup", "--out", file)
	require.Equal(t, "Hospital", made.Hospital)
	require.Positive(t, made.Size)
	p.fails(t, 1, "already exists", "backup", "--out", file)
	p.does(t, nil, "backup", "--out", file, "--force")
	p.fails(t, 1, "exists already", "restore", file)
	p.fails(t, 2, "which backup", "restore")

	q := newOperator(t)
	q.fails(t, 1, "no such file", "restore", file+".old")
	q.fails(t, 1, "not a backup", "restore", p.passphrase)
	q.does(t, nil, "restore", file)
	q.does(t, &after, "keys", "show", "admin")
	require.Equal(t, before, after)
	q.fails(t, 1, "no network accepted yet", "start")

	identity, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	sealed, secret := filepath.Join(t.TempDir(), "sealed"), filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte(identity.String()+"\n"), 0o600))
	p.does(t, nil, "backup", "--out", sealed, "--recipient", identity.Recipient().String())
	r := newOperator(t)
	r.fails(t, 1, "wrong passphrase", "restore", sealed)
	r.does(t, nil, "restore", sealed, "--identity", secret)
}

func TestAssembleRefuses(t *testing.T) {
	t.Parallel()
	p := newOperator(t)
	p.does(t, nil, initArguments("Hospital", 0)...)
	member := filepath.Join(p.home, "member.json")
	out := filepath.Join(t.TempDir(), "network")
	p.fails(t, 2, "needs the member.json", "network", "assemble", "--out", out)
	p.fails(t, 1, "name one key", "network", "assemble", "--out", out, member, member)
	p.fails(t, 2, "--time", "network", "assemble", "--out", out, "--time", "yesterday", member)
	p.fails(t, 1, "chain id", "network", "assemble", "--out", out, "--chain-id", "PHRD", member)
	changed, err := os.ReadFile(member)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(member, []byte(strings.Replace(string(changed), `"consensus_signature": "`, `"consensus_signature": "AAAA`, 1)), 0o600))
	p.fails(t, 1, "signature", "network", "assemble", "--out", out, member)
	_, err = os.Stat(out)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAccountKeys(t *testing.T) {
	t.Parallel()
	p := newOperator(t)
	var added, shown, imported struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	}
	p.does(t, &added, "keys", "add", "dr-weber")
	require.Regexp(t, "^phrd1[a-z0-9]{38}$", added.Address)
	p.does(t, &shown, "keys", "show", "dr-weber")
	require.Equal(t, added, shown)
	p.fails(t, 1, "exists already", "keys", "add", "dr-weber")
	p.fails(t, 1, "not a name", "keys", "add", "../dr-weber")
	p.fails(t, 1, "no such key", "keys", "show", "nobody")

	file := filepath.Join(t.TempDir(), "dr-weber.key")
	p.does(t, nil, "keys", "export", "dr-weber", "--out", file)
	stat, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), stat.Mode().Perm())
	other := newOperator(t)
	other.does(t, &imported, "keys", "import", "weber", "--in", file)
	require.Equal(t, added.Address, imported.Address)
	require.Contains(t, other.does(t, nil, "keys", "list"), added.Address)

	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, []byte(strings.Repeat("01", 32)), 0o600))
	other.does(t, &imported, "keys", "import", "plain", "--in", plain, "--hex")
	other.fails(t, 1, "damaged", "keys", "import", "other", "--in", plain)
}

func TestNetworkOnThisMachine(t *testing.T) {
	n := startNet(t)
	p := person{home: n.dir}
	type local struct {
		Name   string `json:"name"`
		PID    int    `json:"pid"`
		Server struct {
			Ready     bool   `json:"ready"`
			Hospital  int    `json:"hospital"`
			NetworkID string `json:"network_id"`
		} `json:"server"`
	}
	var all, again []local
	p.does(t, &all, "network", "status")
	require.Len(t, all, hospitals)
	for i, h := range all {
		require.Equal(t, fmt.Sprintf("hospital-%d", i+1), h.Name)
		require.True(t, h.Server.Ready)
		require.Equal(t, i+1, h.Server.Hospital)
		require.Equal(t, all[0].Server.NetworkID, h.Server.NetworkID)
	}
	// What runs is left alone.
	p.does(t, &again, "network", "start")
	require.Equal(t, all, again)
	p.fails(t, 1, "exists already", "network", "create")
	p.fails(t, 2, `no "hospital-9"`, "network", "stop", "hospital-9")

	// A pid file that names another process stops nothing.
	pid := filepath.Join(n.dir, "hospital-4", "phrd.pid")
	right, err := os.ReadFile(pid)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(pid, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600))
	p.does(t, &again, "network", "stop", "hospital-4")
	require.Zero(t, again[0].PID)
	require.NoError(t, os.WriteFile(pid, right, 0o600))
	p.does(t, &again, "network", "status")
	require.Equal(t, all[3].PID, again[3].PID)

	empty := newOperator(t)
	empty.fails(t, 1, "no network here", "network", "status")
}

func TestProgram(t *testing.T) {
	t.Parallel()
	p := newOperator(t)
	var version struct {
		Version string `json:"version"`
		Go      string `json:"go"`
	}
	p.does(t, &version, "version")
	require.NotEmpty(t, version.Version)
	require.Regexp(t, `^go1\.`, version.Go)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		require.Contains(t, p.does(t, nil, "completion", shell), "phrd")
	}
	for _, line := range []string{
		"init", "start", "status", "network assemble", "network create", "network start", "network stop", "network status",
		"keys add", "keys list", "keys show", "keys export", "keys import", "version", "demo", "custody status",
	} {
		out := p.does(t, nil, append(strings.Fields(line), "--help")...)
		require.Contains(t, out, "Examples:", line)
		require.Contains(t, out, "--json", line)
	}
}
