package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func networkStopCommand() *cobra.Command {
	return &cobra.Command{
		Use: "stop [HOSPITAL...]", Short: "stop the hospitals of a network on this machine",
		Long:    "Stop the hospitals of a network on this machine, or those that are named. Only processes that `phrd network start` started\nare stopped.",
		Example: "  phrd network stop --home demo\n  phrd network stop --home demo hospital-3",
		RunE: func(cmd *cobra.Command, args []string) error {
			hospitals, err := chosenHospitals(cmd, args)
			if err != nil {
				return err
			}
			if err := stopNetwork(cmd.Context(), hospitals); err != nil {
				return err
			}
			return printNetwork(cmd.Context(), hospitals, newOutput(cmd))
		},
	}
}

// stopNetwork asks the processes of hospitals to stop, all at once, and waits until they have; one that does not is killed.
func stopNetwork(ctx context.Context, hospitals []localHospital) error {
	var errs []error
	running := map[localHospital]int{}
	for _, h := range hospitals {
		pid, err := runningPID(h)
		if err == nil && pid != 0 {
			running[h] = pid
			err = syscall.Kill(pid, syscall.SIGTERM)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("stop %s: %w", h.Name, err))
		}
	}
	for h, pid := range running {
		if err := waitEnd(ctx, h, pid); err != nil {
			errs = append(errs, err)
		}
	}
	for _, h := range hospitals {
		if pid, err := runningPID(h); err == nil && pid == 0 {
			if err := os.Remove(h.pidFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// waitEnd waits until a process has ended.
func waitEnd(ctx context.Context, h localHospital, pid int) error {
	patience := time.NewTimer(stopTime + 5*time.Second)
	defer patience.Stop()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for killed := false; ; {
		if now, err := runningPID(h); err != nil || now != pid {
			if killed {
				return fmt.Errorf("%s did not stop and was killed; see %s", h.Name, h.logFile())
			}
			return err
		}
		select {
		case <-tick.C:
		case <-patience.C:
			killed = true
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill %s: %w", h.Name, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("stop %s: %w", h.Name, ctx.Err())
		}
	}
}
