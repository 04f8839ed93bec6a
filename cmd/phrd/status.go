package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

const (
	// statusTime is how long a gateway may take to answer.
	statusTime = 10 * time.Second
	// watchEvery is how often a page is shown again.
	watchEvery = 2 * time.Second
	// maxStatus bounds the answer.
	maxStatus = 64 << 10
)

// errNotReady says that a server is up but can't serve yet.
var errNotReady = errors.New("the server is not ready")

// serverStatus is how a hospital's server stands, as its gateway tells everybody.
type serverStatus struct {
	Gateway    string   `json:"gateway"`
	Ready      bool     `json:"ready"`
	Reasons    []string `json:"reasons"`
	Hospital   uint64   `json:"hospital"`
	Name       string   `json:"name"`
	ChainID    string   `json:"chain_id"`
	NetworkID  string   `json:"network_id"`
	Height     int64    `json:"height"`
	BlockTime  string   `json:"block_time"`
	CatchingUp bool     `json:"catching_up"`
	Version    string   `json:"version"`
	// BlockHash is the hash of the block of Height, which a hospital that joins may have to trust.
	BlockHash string `json:"block_hash"`
}

func statusCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "status", Short: "how the hospital's server stands",
		Long: "Ask the gateway in client.json how its server stands, and on the server itself also what it measures. Ends with exit code 3 where\n" +
			"it is not up or not ready. With --watch the page is shown again every two seconds, until ^C.",
		Example: "  phrd status --home /var/lib/phrd --json\n  phrd status --watch", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			file, err := readClientFile(home)
			if err != nil {
				return err
			}
			if follow {
				return watchStatus(cmd.Context(), home, file, newOutput(cmd))
			}
			s, err := askStatus(cmd.Context(), file)
			if err != nil {
				return err
			}
			if err := newOutput(cmd).print(s, nil, newStatusPage(cmd.Context(), home, s).rows()); err != nil {
				return err
			}
			if !s.Ready {
				return errNotReady
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&follow, "watch", "w", false, "show it again every two seconds")
	return cmd
}

// watchStatus shows how a server stands again and again until ctx ends: in place on a terminal, else page after page.
func watchStatus(ctx context.Context, home string, file clientFile, out *output) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s, err := askStatus(ctx, file)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.Reasons = []string{err.Error()}
		}
		page := newStatusPage(ctx, home, s)
		if err := out.redraw(); err != nil {
			return err
		}
		if err := out.print(s, nil, append([][]string{{"at", page.now.Format(time.DateTime)}}, page.rows()...)); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s serverStatus) rows() [][]string {
	if !s.Ready {
		return [][]string{{"gateway", s.Gateway}, {"height", strconv.FormatInt(s.Height, 10)}, {"ready", s.readyText()}}
	}
	return [][]string{
		{"gateway", s.Gateway}, {"hospital", fmt.Sprintf("%d, %s", s.Hospital, s.Name)}, {"chain", s.ChainID}, {"network", s.NetworkID},
		{"height", strconv.FormatInt(s.Height, 10)}, {"block hash", s.BlockHash}, {"block time", s.BlockTime}, {"catching up", strconv.FormatBool(s.CatchingUp)},
		{"ready", s.readyText()}, {"version", s.Version},
	}
}

func (s serverStatus) readyText() string {
	if s.Ready {
		return "yes"
	}
	return "no: " + strings.Join(s.Reasons, ", ")
}

// askReady asks a gateway whether its server is ready. The error is phr.ErrUnreachable where it does not answer.
func askReady(ctx context.Context, door clientFile) (serverStatus, error) {
	s := serverStatus{Gateway: door.Gateway}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	client, err := pinnedClient(door.Fingerprint)
	if err != nil {
		return s, err
	}
	defer client.CloseIdleConnections()
	return s, askJSON(ctx, client, door.Gateway+"/readyz", &s)
}

// askStatus asks a gateway how its server stands. The error is phr.ErrUnreachable where it does not answer. What a server that is
// not ready does not know yet is left out.
func askStatus(ctx context.Context, door clientFile) (serverStatus, error) {
	s, err := askReady(ctx, door)
	if err != nil || !s.Ready {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	client, err := pinnedClient(door.Fingerprint)
	if err != nil {
		return s, err
	}
	defer client.CloseIdleConnections()
	var chain struct {
		ChainID   string `json:"chain_id"`
		NetworkID string `json:"network_id"`
		Hospital  struct {
			Number uint64 `json:"number"`
			Name   string `json:"name"`
		} `json:"hospital"`
		Version string `json:"version"`
	}
	if err := askJSON(ctx, client, door.Gateway+"/chain", &chain); err != nil {
		return s, err
	}
	var block struct {
		Result struct {
			SignedHeader struct {
				Commit struct {
					BlockID struct {
						Hash string `json:"hash"`
					} `json:"block_id"`
				} `json:"commit"`
			} `json:"signed_header"`
		} `json:"result"`
	}
	if err := askJSON(ctx, client, door.Gateway+"/rpc/commit?height="+strconv.FormatInt(s.Height, 10), &block); err != nil {
		return s, err
	}
	s.BlockHash = strings.ToLower(block.Result.SignedHeader.Commit.BlockID.Hash)
	s.ChainID, s.NetworkID, s.Hospital, s.Name, s.Version = chain.ChainID, chain.NetworkID, chain.Hospital.Number, chain.Hospital.Name, chain.Version
	return s, nil
}

// askJSON reads the answer of a gateway, which may be that it is not ready.
func askJSON(ctx context.Context, client *http.Client, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		if errors.Is(err, phr.ErrCertificate) {
			return err
		}
		return fmt.Errorf("%w: %w", phr.ErrUnreachable, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxStatus))
	if err != nil {
		return fmt.Errorf("%w: %w", phr.ErrUnreachable, err)
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: the answer is not one of a gateway: %w", url, err)
	}
	return nil
}

// pinnedClient takes only the certificate whose public key has this SHA-256, 64 hex digits.
func pinnedClient(fingerprint string) (*http.Client, error) {
	pin, err := phr.ParseFingerprint(fingerprint)
	if err != nil {
		return nil, fmt.Errorf("client.json: %w", err)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: phr.Pinned(pin)}}, nil
}
