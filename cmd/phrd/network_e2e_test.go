package main_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/testutil/ports"
)

// hospitals is how many hospitals the network of the tests has, five how many the largest of other networks, which has emergencies.
const (
	hospitals = 4
	five      = 5
)

// bases are the ports of the first hospital of a network on one machine, without offset.
var bases = []int{26656, 26657, 9090, 1317, 4001, 8443}

// program is the binary under test; make e2e builds it and names it.
var program = os.Getenv("PHRD_BINARY")

// shared is the one network that all tests here use, in processes of its own. Starting it takes longer than most tests.
var shared struct {
	once sync.Once
	keys sync.Once // until they are made
	net  *localNet
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.net != nil {
		if err := shared.net.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// localNet is a network of hospitals on this machine.
type localNet struct {
	dir     string
	offset  int    // of the ports
	program string // that runs it
}

// startNet gives the network of the tests, which is made at the first call.
func startNet(t *testing.T) *localNet {
	t.Helper()
	if program == "" {
		t.Skip("PHRD_BINARY does not name the program; make e2e does")
	}
	shared.once.Do(func() { shared.net, shared.err = newLocalNet(program) })
	require.NoError(t, shared.err)
	shared.keys.Do(func() { shared.net.hospital(1).keys(t) })
	return shared.net
}

func newLocalNet(program string) (*localNet, error) {
	n, err := makeLocalNet(program, hospitals)
	if err != nil {
		return nil, err
	}
	return n, n.runs("network", "start", "--home", n.dir)
}

// makeLocalNet makes a network that does not run yet.
func makeLocalNet(program string, count int) (*localNet, error) {
	dir, err := os.MkdirTemp("", "phrd-e2e-")
	if err != nil {
		return nil, err
	}
	offset, err := freeOffset()
	if err != nil {
		return nil, err
	}
	n := &localNet{dir: dir, offset: offset, program: program}
	return n, n.runs("network", "create", "--home", dir, "--hospitals", fmt.Sprint(count), "--port-offset", fmt.Sprint(offset))
}

// runs runs a command of the network's program; where it fails nothing is left of the network.
func (n *localNet) runs(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, n.program, args...).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("phrd %s: %w\n%s", strings.Join(args, " "), err, out), n.stop())
	}
	return nil
}

// freeOffset finds a place where all ports of the largest network are free.
func freeOffset() (int, error) { return ports.Offset(five, bases...) }

func (n *localNet) stop() error {
	out, err := exec.Command(n.program, "network", "stop", "--home", n.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("phrd network stop: %w\n%s", err, out)
	}
	return os.RemoveAll(n.dir)
}

// hospital is the home of a hospital.
func (n *localNet) hospital(number int) person {
	name := fmt.Sprintf("hospital-%d", number)
	return person{home: filepath.Join(n.dir, name), passphrase: filepath.Join(n.dir, "passphrases", name), program: n.program}
}

// turn starts or stops hospitals, by a command of `phrd network` with its flags.
func (n *localNet) turn(t *testing.T, what string, numbers ...int) {
	t.Helper()
	args := append([]string{"network"}, append(strings.Fields(what), "--home", n.dir)...)
	for _, number := range numbers {
		args = append(args, fmt.Sprintf("hospital-%d", number))
	}
	out, err := exec.CommandContext(t.Context(), n.program, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// person is an account in a home.
type person struct {
	home, passphrase string
	account          string // in the key store; empty for the default
	program          string // that the person uses; empty for the one under test
	machine          string // network namespace in which the commands run; empty for that of the tests
}

func (p person) as(account string) person {
	p.account = account
	return p
}

// command is the process of a command of this person, not started yet.
func (p person) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(args, "--home", p.home)
	if p.account != "" {
		args = append(args, "--from", p.account)
	}
	command := append([]string{cmp.Or(p.program, program)}, args...)
	if p.machine != "" {
		command = append([]string{"ip", "netns", "exec", p.machine}, command...)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "PHRD_PASSPHRASE_FILE="+p.passphrase)
	return cmd
}

// result is how a command ended.
type result struct {
	code        int
	out, errors string
}

// runs runs a command to its end.
func (p person) runs(t *testing.T, args ...string) result {
	t.Helper()
	cmd := p.command(t.Context(), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// does runs a command that must succeed, and decodes its JSON into value unless that is nil.
func (p person) does(t *testing.T, value any, args ...string) string {
	t.Helper()
	if value != nil {
		args = append(args, "--json")
	}
	r := p.runs(t, args...)
	require.Zero(t, r.code, "phrd %s\n%s%s", strings.Join(args, " "), r.out, r.errors)
	if value != nil {
		decoder := json.NewDecoder(strings.NewReader(r.out))
		require.NoError(t, decoder.Decode(value), r.out)
		require.False(t, decoder.More(), "one JSON value")
	}
	return r.out
}

// fails runs a command that must fail with a code and say a word of why.
func (p person) fails(t *testing.T, code int, word string, args ...string) result {
	t.Helper()
	r := p.runs(t, args...)
	require.Equal(t, code, r.code, "phrd %s\n%s%s", strings.Join(args, " "), r.out, r.errors)
	require.Contains(t, r.errors, "phrd: error: ")
	require.Contains(t, r.errors, word)
	return r
}
