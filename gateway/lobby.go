package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// lobbyTime is how long a request to a lobby may take.
const lobbyTime = 10 * time.Second

// LobbyConfig says what a lobby is made of.
type LobbyConfig struct {
	// Listen is the host:port of the gateway that is to come.
	Listen string
	// CertificateFile and KeyFile are those of the gateway.
	CertificateFile, KeyFile string
	// Waits says for what the server waits.
	Waits func() string
	// Log is told what goes wrong.
	Log *slog.Logger
}

// Lobby stands in the gateway's place while a server has no state of the chain yet: it serves /healthz and /readyz, which says for what
// the server waits, and answers everything else with that it is not ready.
type Lobby struct {
	config   LobbyConfig
	server   *http.Server
	listener net.Listener
	done     chan struct{}
	err      error // set before done is closed
}

// NewLobby returns a lobby that listens. The error says that the certificate can't be used or that the port can't be had.
func NewLobby(ctx context.Context, config LobbyConfig) (*Lobby, error) {
	certificate, err := newCertificate(config.CertificateFile, config.KeyFile, time.Now, config.Log)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	l := &Lobby{config: config, done: make(chan struct{})}
	d := defaults()
	l.server = &http.Server{
		Handler: l.routes(), ReadHeaderTimeout: headerTime, ReadTimeout: lobbyTime, WriteTimeout: lobbyTime, IdleTimeout: idleTime,
		MaxHeaderBytes: d.HeaderBytes, ErrorLog: slog.NewLogLogger(config.Log.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get},
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", config.Listen)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	l.listener = limitedListener{Listener: listener, slots: newSlots(d.ConnectionsPerAddress, d.Connections)}
	go func() {
		defer close(l.done)
		if err := l.server.ServeTLS(l.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			l.err = fmt.Errorf("gateway: %w", err)
		}
	}()
	return l, nil
}

func (l *Lobby) routes() http.Handler {
	mux := http.NewServeMux()
	serve := func(pattern string, h handler) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				if err := faultOf(err).write(w); err != nil {
					l.config.Log.Debug("answer was not taken", "route", r.Pattern, "error", err)
				}
			}
		})
	}
	serve("GET /healthz", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	serve("GET /readyz", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, http.StatusServiceUnavailable, readiness{Reasons: []string{l.config.Waits()}, CatchingUp: true})
	})
	serve("/", func(http.ResponseWriter, *http.Request) error { return unavailable(nil, l.config.Waits()) })
	return mux
}

// Addr is the address that the lobby listens on.
func (l *Lobby) Addr() string { return l.listener.Addr().String() }

// Stop frees the port, so that the gateway can take it. The error is also why it ended before.
func (l *Lobby) Stop(ctx context.Context) error {
	err := l.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, l.server.Close())
	}
	<-l.done
	return errors.Join(err, l.err)
}
