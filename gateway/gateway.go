// Package gateway is the hospital's HTTP door: for people's programs, who have no other way
// to the chain and to the blocks.
//
// # Who may ask what
//
// A person logs in by signing a text in the wallet (ADR-36) and gets a token; the principal
// behind it is read from the chain at every request. One table gives each query method of the
// network's modules a rule (rules.go). gRPC and REST go through the same connection, which
// checks the rule before and after it asks the node. A program that has a query method
// without a rule does not start a gateway. Who may not see something is told the same as who
// asks for what does not exist.
//
// # Blocks
//
// Ciphertext comes in as a CAR stream by the tus protocol, which can be cut at any byte, and
// goes out as the content of a version, in ranges, or block by block. Every read of a version
// is written down and synced before its first byte leaves, and becomes an entry of the log by
// MsgReportAccess; a refused read too. The gateway never sees a key.
//
// # Peppers
//
// For patients who want it the gateway keeps the pepper of a wallet's slot, which opens nothing
// without the wallet's signature. It gives it to who shows, beside the wallet's login, a
// recovery code or a passkey, or a word that the staff handed over in person. Each step is
// written down as a session is.
//
// Every error is a problem document (RFC 9457).
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
)

const (
	headerTime     = 10 * time.Second
	idleTime       = 2 * time.Minute
	maxStreams     = 128
	streamBuffer   = 4 << 20
	lastReportTime = 3 * time.Second
)

// Gateway serves one hospital's door.
type Gateway struct {
	config      Config
	certificate *certificate
	scope       *scope
	rpc         *grpc.Server
	routes      *http.ServeMux
	server      *http.Server
	plain       *http.Server // for a proxy; nil where there is none
	comet       *comet
	pages       *bundle // nil where there are none

	homes       homes
	readinesses readinesses
	challenges  challenges
	sessions    *sessions
	put         putBlocks
	trees       trees
	flights     flights
	spare       *semaphore.Weighted // leaves that downloads have beyond their first group
	uploads     *uploads
	reports     *reports
	happenings  *happenings
	lock        *os.File // of the folder
	candidates  candidates
	feed        feed
	webhooks    *webhooks
	peppers     peppers

	pepperChallenges challenges

	requests, logins, openings, reaches, handIns    *buckets
	accountRequests, accountRefusals, accountBlocks *buckets
	accountPeppers                                  *buckets
	transfers, followers                            *slots
	measures                                        measures

	listener net.Listener
	proxied  net.Listener    // of plain
	work     context.Context // ends when the gateway stops; set before it serves
	cancel   context.CancelFunc
	workers  sync.WaitGroup
	// following ends when the gateway begins to stop, so that streams of notices do not hold it up; streams are those under way.
	following context.Context
	unfollow  context.CancelFunc
	streams   sync.WaitGroup

	done chan struct{}
	err  error // set before done is closed
}

// New returns a gateway that does not listen yet. It fails with ErrNoRule when a query method
// has no rule, with ErrJournalLocked when another process uses the folder, and when the
// certificate or the folder can't be used.
func New(config Config) (*Gateway, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.complete()
	l, now := config.Limits, config.Now
	g := &Gateway{
		config: config, sessions: newSessions(l, now), done: make(chan struct{}),
		requests: newBuckets(l.Requests, now), logins: newBuckets(l.Logins, now), openings: newBuckets(l.Openings, now),
		reaches: newBuckets(l.Reaches, now), handIns: newBuckets(l.HandIns, now),
		candidates:      candidates{folder: filepath.Join(config.Folder, "candidates"), most: l.Candidates},
		accountRequests: newBuckets(l.AccountRequests, now), accountRefusals: newBuckets(l.AccountRefusals, now),
		accountBlocks: newBuckets(l.AccountBlocks, now), accountPeppers: newBuckets(l.AccountPeppers, now), transfers: newSlots(l.Transfers, l.AllTransfers),
		followers: newSlots(l.Followers, l.AllFollowers), feed: feed{chain: config.Chain, entries: config.Entries, log: config.Log},
		peppers: peppers{store: config.Peppers}, spare: semaphore.NewWeighted(allSpareLeaves), measures: newMeasures(),
	}
	g.following, g.unfollow = context.WithCancel(context.Background())
	var err error
	if g.scope, err = newScope(config.Chain, scopeTable(), l.QueryTime, config.Log); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if g.certificate, err = newCertificate(config.CertificateFile, config.KeyFile, now, config.Log); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if g.rpc, err = g.newRPC(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if config.RPC != "" {
		g.comet = newComet(g)
	}
	if config.Pages != nil {
		if g.pages, err = readPages(config.Pages); err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
	}
	if g.routes, err = g.newRoutes(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g.server = g.newServer()
	if config.PlainListen != "" {
		g.plain = g.newPlainServer()
	}
	if err := g.openFolder(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return g, nil
}

// openFolder opens what the gateway keeps on the disk.
func (g *Gateway) openFolder() error {
	if err := os.MkdirAll(g.config.Folder, 0o700); err != nil {
		return err
	}
	var err error
	if g.lock, err = lockFolder(g.config.Folder); err != nil {
		return err
	}
	if err := g.openJournals(); err != nil {
		return errors.Join(err, g.lock.Close())
	}
	if g.webhooks, err = openWebhooks(g); err != nil {
		return errors.Join(err, g.closeJournals())
	}
	if g.uploads, err = openUploads(g); err != nil {
		return errors.Join(err, g.closeJournals())
	}
	return nil
}

func (g *Gateway) openJournals() error {
	reads, err := openJournal(g.config.Folder, readsJournal, func() *recordsv1.AccessReport { return &recordsv1.AccessReport{} }, g.config.Log)
	if err != nil {
		return err
	}
	sessions, err := openJournal(g.config.Folder, sessionsJournal, func() *consortiumv1.SessionReport { return &consortiumv1.SessionReport{} }, g.config.Log)
	if err != nil {
		return errors.Join(err, reads.close())
	}
	g.reports, g.happenings = newReports(reads, g), newHappenings(sessions, g)
	g.scope.happenings = g.happenings
	g.sessions.inherit(sessions.opened())
	return nil
}

// closeJournals closes the journals and lets another process have the folder.
func (g *Gateway) closeJournals() error {
	return errors.Join(g.reports.journal.close(), g.happenings.journal.close(), g.lock.Close())
}

func (g *Gateway) newServer() *http.Server {
	l := g.config.Limits
	return &http.Server{
		Handler:           g,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    l.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.config.Log.Handler(), slog.LevelDebug),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: g.certificate.get},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerStream:     streamBuffer,
			MaxReceiveBufferPerConnection: 4 * streamBuffer,
			SendPingTimeout:               l.Stall,
			PingTimeout:                   l.Stall,
			WriteByteTimeout:              l.Stall,
		},
	}
}

// newPlainServer is newServer without TLS, for HTTP/1.1 and HTTP/2.
func (g *Gateway) newPlainServer() *http.Server {
	s := g.newServer()
	s.TLSConfig = nil
	s.Protocols = &http.Protocols{}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

func (g *Gateway) newRoutes() (*http.ServeMux, error) {
	rest, err := g.newREST()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", g.open(g.serveHealth))
	mux.Handle("GET /readyz", g.open(g.serveReady))
	mux.Handle("GET /chain", g.open(g.serveChain))
	mux.Handle("GET /genesis", g.open(g.serveGenesis))
	mux.Handle("POST /accounts", g.limited(g.openings, g.serveAccounts))
	mux.Handle("POST /login/challenge", g.limited(g.logins, g.serveChallenge))
	mux.Handle("POST /login", g.limited(g.logins, g.serveLogin))
	mux.Handle("POST /logout", g.open(g.serveLogout))
	mux.Handle("PUT /blocks/{cid}", g.loggedIn(g.servePutBlock))
	mux.Handle("GET /blocks/{cid}", g.loggedIn(g.serveGetBlock))
	if g.config.Capsules != nil {
		mux.Handle("POST /unlocks/{unlock}/capsule", g.loggedIn(g.serveCapsule))
		mux.Handle("POST /emergencies/{emergency}/half", g.loggedIn(g.serveEmergencyHalf))
	}
	if g.config.Peppers != nil {
		mux.Handle("PUT /pepper", g.loggedIn(g.servePutPepper))
		mux.Handle("GET /pepper", g.loggedIn(g.serveGetPepper))
		mux.Handle("DELETE /pepper", g.loggedIn(g.serveDeletePepper))
		mux.Handle("POST /pepper/challenge", g.loggedIn(g.servePepperChallenge))
		mux.Handle("POST /pepper/collect", g.loggedIn(g.serveCollectPepper))
		mux.Handle("POST /pepper/collect-in-person", g.loggedIn(g.serveCollectInPerson))
		mux.Handle("POST /pepper/admissions", g.loggedIn(g.serveAdmitPepper))
	}
	mux.Handle("OPTIONS /uploads", g.open(g.serveUploadOptions))
	mux.Handle("OPTIONS /uploads/{id}", g.open(g.serveUploadOptions))
	mux.Handle("POST /uploads", g.loggedIn(g.serveUploadCreate))
	mux.Handle("HEAD /uploads/{id}", g.loggedIn(g.serveUploadHead))
	mux.Handle("PATCH /uploads/{id}", g.loggedIn(g.serveUploadPatch))
	mux.Handle("POST /uploads/{id}", g.loggedIn(g.serveUploadOverride))
	mux.Handle("DELETE /uploads/{id}", g.loggedIn(g.serveUploadDelete))
	mux.Handle("GET /uploads/{id}/blocks/{cid}", g.loggedIn(g.serveUploadBlock))
	mux.Handle("PUT /uploads/{id}/previous", g.loggedIn(g.serveUploadPrevious))
	mux.Handle("POST /uploads/{id}/read", g.loggedIn(g.serveUploadRead))
	mux.Handle("POST /uploads/{id}/check", g.loggedIn(g.serveUploadCheck))
	mux.Handle("GET /records/{record}/versions/{version}/content", g.loggedIn(g.serveContent))
	mux.Handle("GET /records/{record}/versions/{version}/blocks/{cid}", g.loggedIn(g.serveVersionBlock))
	mux.Handle("GET /objects/{cid}", g.loggedIn(g.serveGetObject))
	mux.Handle("POST /objects", g.loggedIn(g.servePostObject))
	if g.config.Reacher != nil {
		mux.Handle("POST /reach", g.loggedIn(g.serveReach))
	}
	mux.Handle("POST /audit-reports", g.loggedIn(g.serveAuditReport))
	mux.Handle("GET /notices", g.loggedIn(g.serveNotices))
	mux.Handle("GET /notices/websocket", g.open(g.serveNoticeSocket))
	mux.Handle("GET /webhooks", g.loggedIn(g.serveWebhooks))
	mux.Handle("PUT /webhooks/{name}", g.loggedIn(g.serveWebhookAdd))
	mux.Handle("DELETE /webhooks/{name}", g.loggedIn(g.serveWebhookRemove))
	if g.pages != nil {
		g.pages.route(mux, g.open)
	}
	mux.Handle("/phrd/", rest)
	mux.Handle("/cosmos/", rest)
	if g.config.OpenMember != nil {
		mux.Handle("POST /members", g.limited(g.handIns, g.serveHandIn))
		mux.Handle("GET /members", g.loggedIn(g.serveCandidates))
		mux.Handle("DELETE /members/{id}", g.loggedIn(g.serveForget))
	}
	if g.comet != nil {
		mux.Handle("GET /rpc/{method}", g.open(g.comet.serveGet))
		mux.Handle("POST /rpc", g.open(g.comet.servePost))
		mux.Handle("POST /rpc/{$}", g.open(g.comet.servePost))
		mux.Handle("GET /rpc/websocket", g.open(g.comet.serveSocket))
	}
	return mux, nil
}

// Start listens and returns. The gateway serves, and reports reads, until Stop; ctx bounds
// the start alone.
func (g *Gateway) Start(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", g.config.Listen)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	connections := newSlots(g.config.Limits.ConnectionsPerAddress, g.config.Limits.Connections)
	if g.plain != nil {
		plain, err := lc.Listen(ctx, "tcp", g.config.PlainListen)
		if err != nil {
			return errors.Join(fmt.Errorf("gateway: %w", err), listener.Close())
		}
		g.proxied = limitedListener{Listener: plain, slots: connections, isProxy: g.config.isProxy}
	}
	g.listener = limitedListener{Listener: listener, slots: connections, isProxy: g.config.isProxy}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g.work, g.cancel = work, cancel
	g.workers.Go(func() { g.reports.run(work) })
	g.workers.Go(func() { g.happenings.run(work) })
	g.workers.Go(func() { g.followSessions(work) })
	g.workers.Go(func() { g.uploads.run(work) })
	g.workers.Go(func() { g.feed.run(work) })
	g.workers.Go(func() { g.webhooks.run(work) })
	if g.plain != nil {
		g.workers.Go(func() {
			if err := g.plain.Serve(g.proxied); !errors.Is(err, http.ErrServerClosed) {
				g.config.Log.Error("plain HTTP for the proxy ended", "error", err)
			}
		})
	}
	go func() {
		defer close(g.done)
		if err := g.server.ServeTLS(g.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			g.err = fmt.Errorf("gateway: %w", err)
		}
	}()
	return nil
}

// Addr is the address that a started gateway listens on.
func (g *Gateway) Addr() string {
	if g.listener == nil {
		return ""
	}
	return g.listener.Addr().String()
}

// PlainAddr is the address on which a started gateway serves a proxy; empty where it does not.
func (g *Gateway) PlainAddr() string {
	if g.proxied == nil {
		return ""
	}
	return g.proxied.Addr().String()
}

// Reload reads the certificate anew, also where its files look unchanged. On an error the old
// one stays.
func (g *Gateway) Reload() error { return g.certificate.reload() }

// Done is closed when a started gateway has ended serving.
func (g *Gateway) Done() <-chan struct{} { return g.done }

// Err is why serving ended; nil before Done is closed and after Stop.
func (g *Gateway) Err() error {
	select {
	case <-g.done:
		return g.err
	default:
		return nil
	}
}

// Stop takes no new requests, waits for those under way until ctx ends, and closes what the
// gateway keeps on the disk. Reads that are not reported by then are reported after the next
// start. A gateway that was not started is stopped too.
func (g *Gateway) Stop(ctx context.Context) error {
	var err error
	g.unfollow()
	if g.listener != nil {
		if err = g.server.Shutdown(ctx); err != nil {
			err = errors.Join(err, g.server.Close())
		}
		if g.plain != nil {
			if stopped := g.plain.Shutdown(ctx); stopped != nil {
				err = errors.Join(err, stopped, g.plain.Close())
			}
		}
		g.streams.Wait()
		g.cancel()
		g.workers.Wait()
		<-g.done
		g.reportLast(ctx)
	}
	return errors.Join(err, g.uploads.close(), g.closeJournals())
}

// reportLast tries to hand in the last reads, which the journal keeps in any case.
func (g *Gateway) reportLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastReportTime)
	defer cancel()
	g.reports.closeAll()
	if _, err := g.reports.round(ctx); err != nil {
		g.config.Log.Info("the last reads are reported after the next start", "reason", err)
	}
	if _, err := g.happenings.round(ctx, true); err != nil {
		g.config.Log.Info("the last sessions are reported after the next start", "reason", err)
	}
}
