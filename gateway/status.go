package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// readyAge is how long an answer about readiness stands.
const readyAge = time.Second

// readiness is the body of /readyz.
type readiness struct {
	Ready      bool      `json:"ready"`
	Reasons    []string  `json:"reasons"`
	Height     int64     `json:"height"`
	BlockTime  time.Time `json:"block_time"`
	CatchingUp bool      `json:"catching_up"`
}

// readinesses keeps the last answer.
type readinesses struct {
	mu   sync.Mutex
	last readiness
	at   time.Time
}

func (g *Gateway) serveHealth(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (g *Gateway) serveReady(w http.ResponseWriter, r *http.Request) error {
	state, status := g.readiness(r.Context()), http.StatusOK
	if !state.Ready {
		status = http.StatusServiceUnavailable
	}
	return answer(w, status, state)
}

// readiness tells whether the hospital's server can take part now, and if not why.
func (g *Gateway) readiness(ctx context.Context) readiness {
	g.readinesses.mu.Lock()
	defer g.readinesses.mu.Unlock()
	if now := g.config.Now(); g.readinesses.at.IsZero() || now.Sub(g.readinesses.at) >= readyAge {
		ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
		defer cancel()
		g.readinesses.last, g.readinesses.at = g.readReadiness(ctx), now
	}
	return g.readinesses.last
}

func (g *Gateway) readReadiness(ctx context.Context) readiness {
	state := readiness{Reasons: []string{}}
	note := func(reason string) { state.Reasons = append(state.Reasons, reason) }
	latest, err := g.latest(ctx)
	if err != nil {
		note("the node does not answer")
		return state
	}
	state.Height, state.BlockTime, state.CatchingUp = latest.height, latest.time.UTC(), latest.catchingUp
	if _, err := g.config.Chain.Ready(ctx); err != nil {
		note(err.Error())
	}
	if h, err := g.home(ctx); err != nil {
		note(faultOf(err).detail)
	} else if !h.active {
		note("this hospital may not take part in the network now")
	}
	if err := g.reports.failed(); err != nil {
		note("the journal of reads can't be written")
	}
	if err := g.happenings.journal.failed(); err != nil {
		note("the journal of sessions can't be written")
	}
	for _, ready := range g.config.Ready {
		if err := ready(ctx); err != nil {
			note(err.Error())
		}
	}
	state.Ready = len(state.Reasons) == 0
	return state
}

type hospitalBody struct {
	Number uint64 `json:"number"`
	Name   string `json:"name"`
}

// chainBody is the body of /chain. Height is the newest at which queries answer.
type chainBody struct {
	ChainID     string       `json:"chain_id"`
	NetworkID   string       `json:"network_id"`
	Hospital    hospitalBody `json:"hospital"`
	Height      int64        `json:"height"`
	BlockTime   time.Time    `json:"block_time"`
	Version     string       `json:"version"`
	Fingerprint string       `json:"fingerprint"`
	Time        time.Time    `json:"time"`
	// Pages is the hash of the pages that this gateway serves, as sha256sum of sha256sum's own lines gives it; empty where it serves none.
	Pages string `json:"pages,omitempty"`
}

// serveChain says which network and hospital this is.
func (g *Gateway) serveChain(w http.ResponseWriter, r *http.Request) error {
	h, err := g.home(r.Context())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.config.Limits.QueryTime)
	defer cancel()
	latest, err := g.latest(ctx)
	if err != nil {
		return unavailable(err, "the node does not answer")
	}
	height, err := g.committed(ctx)
	if err != nil {
		return unavailable(err, "the node does not answer")
	}
	fingerprint, err := g.certificate.fingerprint()
	if err != nil {
		return err
	}
	pages := ""
	if g.pages != nil {
		pages = g.pages.hash
	}
	return answer(w, http.StatusOK, chainBody{
		ChainID: h.chainID, NetworkID: hex.EncodeToString(h.network[:]), Hospital: hospitalBody{Number: h.number, Name: h.name},
		Height: height, BlockTime: latest.time.UTC(), Version: g.config.Version, Fingerprint: fingerprint, Time: g.config.Now().UTC(),
		Pages: pages,
	})
}

// serveGenesis sends the genesis file, from which a new node starts.
func (g *Gateway) serveGenesis(w http.ResponseWriter, r *http.Request) error {
	file, err := os.Open(g.config.GenesisFile)
	if err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	http.ServeContent(w, r, "", info.ModTime(), file)
	return nil
}
