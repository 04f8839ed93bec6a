package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"
)

func networkStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "which hospitals of a network on this machine run",
		Example: "  phrd network status --home demo --json", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			hospitals, err := chosenHospitals(cmd, nil)
			if err != nil {
				return err
			}
			return printNetwork(cmd.Context(), hospitals, newOutput(cmd))
		},
	}
}

// localStatus is how a hospital on this machine stands.
type localStatus struct {
	Name    string        `json:"name"`
	Home    string        `json:"home"`
	PID     int           `json:"pid"` // 0 where it does not run
	Gateway string        `json:"gateway"`
	Server  *serverStatus `json:"server"` // nil where the gateway does not answer
	Log     string        `json:"log"`
}

// networkStatus asks how hospitals on this machine stand.
func networkStatus(ctx context.Context, hospitals []localHospital) ([]localStatus, error) {
	var all []localStatus
	for _, h := range hospitals {
		s := localStatus{Name: h.Name, Home: h.Home, Log: h.logFile()}
		var err error
		if s.PID, err = runningPID(h); err != nil {
			return nil, err
		}
		file, err := readClientFile(h.Home)
		if err != nil {
			return nil, err
		}
		s.Gateway = file.Gateway
		if s.PID != 0 {
			if told, err := askStatus(ctx, file); err == nil {
				s.Server = &told
			}
		}
		all = append(all, s)
	}
	return all, nil
}

func printNetwork(ctx context.Context, hospitals []localHospital, o *output) error {
	all, err := networkStatus(ctx, hospitals)
	if err != nil {
		return err
	}
	rows := make([][]string, len(all))
	for i, s := range all {
		rows[i] = []string{s.Name, "-", s.Gateway, "-", "stopped", s.Home}
		if s.PID != 0 {
			rows[i][1], rows[i][4] = strconv.Itoa(s.PID), "no answer"
		}
		if s.Server != nil {
			rows[i][3], rows[i][4] = strconv.FormatInt(s.Server.Height, 10), s.Server.readyText()
		}
	}
	return o.print(all, []string{"HOSPITAL", "PID", "GATEWAY", "HEIGHT", "READY", "HOME"}, rows)
}
