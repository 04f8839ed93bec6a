package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/phrd/phrd/phr"
)

const (
	// askTime is how long a gateway may take to say how it stands.
	askTime = 5 * time.Second
	// maxTold bounds what it says.
	maxTold = 64 << 10
)

// Told is what a member's gateway says to everybody.
type Told struct {
	// ChainID and Height of the newest block there.
	ChainID string `json:"chain_id"`
	Height  int64  `json:"height"`
	// Version of the program.
	Version string `json:"version"`
	// Time is the clock there when it answered.
	Time time.Time `json:"time"`
	// Ahead is by how much the clock here is ahead of the one there, to half the time that the
	// answer took.
	Ahead time.Duration `json:"-"`
}

// AskGateway asks a gateway, known by the SHA-256 of its certificate's public key, how it
// stands. Errors are phr.ErrCertificate and those of the network.
func AskGateway(ctx context.Context, url string, fingerprint []byte) (Told, error) {
	fail := func(err error) (Told, error) { return Told{}, fmt.Errorf("ask %s: %w", url, err) }
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: phr.Pinned(fingerprint), DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/chain", nil)
	if err != nil {
		return fail(err)
	}
	asked := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return fail(err)
	}
	answered := time.Now()
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fail(errors.New(response.Status))
	}
	var told Told
	if err := json.NewDecoder(io.LimitReader(response.Body, maxTold)).Decode(&told); err != nil {
		return fail(fmt.Errorf("not the answer of a gateway: %w", err))
	}
	told.Ahead = asked.Add(answered.Sub(asked) / 2).Sub(told.Time)
	return told, nil
}
