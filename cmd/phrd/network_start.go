package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/server"
	"github.com/phrd/phrd/keys"
)

const (
	// pollTime lies between two looks at something that another process does.
	pollTime = 100 * time.Millisecond
	// logTail is how much of a log is shown where a process ended.
	logTail = 4 << 10
)

// errEnded says that a server's process ended by itself.
var errEnded = errors.New("the server ended")

func networkStartCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "start [HOSPITAL...]", Short: "run the hospitals of a network on this machine",
		Long: "Run the hospitals of a network on this machine, or those that are named, each in a process of its own in the background,\n" +
			"and wait until their gateways are ready. A hospital that runs already is left alone.",
		Example: "  phrd network start --home demo\n  phrd network start --home demo hospital-3",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel, err := within(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer cancel()
			hospitals, err := chosenHospitals(cmd, args)
			if err != nil {
				return err
			}
			noWait, err := cmd.Flags().GetBool("no-wait")
			if err != nil {
				return err
			}
			if err := startNetwork(ctx, hospitals, !noWait); err != nil {
				return err
			}
			return printNetwork(ctx, hospitals, newOutput(cmd))
		},
	}
	cmd.Flags().Duration("timeout", 2*time.Minute, "how long to wait until they are ready")
	cmd.Flags().Bool("no-wait", false, "don't wait: too few for a block are not ready before the others run")
	return cmd
}

// chosenHospitals are the hospitals of the network that the command names, or all.
func chosenHospitals(cmd *cobra.Command, names []string) ([]localHospital, error) {
	dir, err := networkHome(cmd)
	if err != nil {
		return nil, err
	}
	all, err := localNetwork(dir)
	if err != nil || len(names) == 0 {
		return all, err
	}
	var chosen []localHospital
	for _, name := range names {
		found := false
		for _, h := range all {
			if h.Name == name {
				chosen, found = append(chosen, h), true
			}
		}
		if !found {
			return nil, usage("there is no %q in %s", name, dir)
		}
	}
	return chosen, nil
}

// startNetwork runs hospitals in the background, and waits until all are ready if it shall. Where one does not come up, those that this call
// started are stopped again.
func startNetwork(ctx context.Context, hospitals []localHospital, wait bool) (err error) {
	var started []*process
	defer func() {
		if err != nil {
			var fresh []localHospital
			for _, p := range started {
				fresh = append(fresh, p.hospital)
			}
			err = errors.Join(err, stopNetwork(context.WithoutCancel(ctx), fresh))
		}
	}()
	for _, h := range hospitals {
		if pid, err := runningPID(h); err != nil {
			return err
		} else if pid != 0 {
			continue
		}
		p, err := startProcess(h)
		if err != nil {
			return err
		}
		started = append(started, p)
	}
	if !wait {
		return nil
	}
	for _, p := range started {
		if err := p.waitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// process is a hospital's server that this process started.
type process struct {
	hospital localHospital
	ended    chan struct{} // closed when the process ended, however it ended
	logStart int64
}

// startProcess runs `phrd start` for a hospital in the background. It outlives this process.
func startProcess(h localHospital) (_ *process, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(h.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	stat, err := logFile.Stat()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, startArguments(h)...) //nolint:noctx // the server outlives this process
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.Dir = h.Home
	// A session of its own: ^C at the terminal is for this process, not for the servers.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", h.Name, err)
	}
	p := &process{hospital: h, ended: make(chan struct{}), logStart: stat.Size()}
	go func() {
		defer close(p.ended)
		// How it ended stands in its log.
		_ = cmd.Wait()
	}()
	if err := os.WriteFile(h.pidFile(), fmt.Appendf(nil, "%d\n", cmd.Process.Pid), 0o600); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	return p, nil
}

func startArguments(h localHospital) []string {
	return []string{"start", "--home", h.Home, "--passphrase-file", h.PassphraseFile}
}

// waitReady waits until the gateway is ready, the process has ended, or ctx ends.
func (p *process) waitReady(ctx context.Context) error {
	file, err := readClientFile(p.hospital.Home)
	if err != nil {
		return err
	}
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		s, err := askReady(ctx, file)
		if err == nil && s.Ready {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%w: %s", errNotReady, s.readyText())
		}
		select {
		case <-p.ended:
			return p.endedError()
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", p.hospital.Name, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// endedError says why a process ended, in the words of its log.
func (p *process) endedError() error {
	content, err := os.ReadFile(p.hospital.logFile())
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.hospital.Name, errEnded), err)
	}
	content = content[min(p.logStart, int64(len(content))):]
	content = content[max(0, len(content)-logTail):]
	var said []string
	for _, line := range strings.Split(string(content), "\n") {
		if text, ok := strings.CutPrefix(line, "phrd: "); ok {
			said = append(said, text)
		}
	}
	if len(said) == 0 {
		return fmt.Errorf("%s: %w: see %s", p.hospital.Name, errEnded, p.hospital.logFile())
	}
	err = fmt.Errorf("%s: %w: %s", p.hospital.Name, errEnded, strings.Join(said, "; "))
	for _, known := range []error{server.ErrPortInUse, server.ErrRunning, home.ErrLoose, keys.ErrLoose, keys.ErrPassphrase} {
		if strings.Contains(err.Error(), known.Error()) {
			return fmt.Errorf("%w (%w)", err, known)
		}
	}
	return err
}

// runningPID is the process of a hospital's server, 0 where none runs. A process that only happens to have the number in the pid
// file is none.
func runningPID(h localHospital) (int, error) {
	content, err := os.ReadFile(h.pidFile())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 {
		return 0, nil //nolint:nilerr // a file that was not written whole names none
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return 0, nil //nolint:nilerr // no such process
	}
	arguments := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	if len(arguments) < 2 || strings.Join(arguments[1:], "\x00") != strings.Join(startArguments(h), "\x00") {
		return 0, nil
	}
	if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || isZombie(state) {
		return 0, nil //nolint:nilerr // it ended between the two looks
	}
	return pid, nil
}

// isZombie tells whether a process ended and waits for its parent to look (proc_pid_stat(5)).
func isZombie(stat []byte) bool {
	after := bytes.LastIndexByte(stat, ')')
	return after < 0 || after+2 < len(stat) && stat[after+2] == 'Z'
}
