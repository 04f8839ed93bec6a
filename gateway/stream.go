package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// noticeProtocol is the subprotocol of notices over a WebSocket, and tokenProtocol begins the one that carries the token of a page,
	// which can set no header.
	noticeProtocol = "phrd.notices.v1"
	tokenProtocol  = "phrd.token."
	// socketRead is the largest message that a follower may send, which is of no use.
	socketRead = 512
)

// errSessionEnded says that who followed is not logged in any more.
var errSessionEnded = errors.New("session has ended")

// A sink is where notices go: one of the two kinds of streams.
type sink interface {
	// send writes a notice.
	send(n Notice) error
	// beat writes that nothing else happened up to a sequence.
	beat(cursor uint64) error
}

// follow tells a caller what happens, from the cursor on, until the session or the gateway ends, or the caller does not keep up.
func (g *Gateway) follow(ctx context.Context, c caller, token string, cursor uint64, out sink) error {
	ended, ok := g.sessions.ended(token)
	if !ok {
		return errSessionEnded
	}
	f := &follower{feed: &g.feed, scope: g.scope, cursor: cursor, pace: g.pace, who: func(ctx context.Context) (caller, error) {
		address, ok := g.sessions.holder(token)
		if !ok {
			return caller{}, errSessionEnded
		}
		return g.principal(ctx, address)
	}}
	beaten, last := cursor, time.Time{}
	if err := g.noteNotices(ctx, c, nil); err != nil {
		return err
	}
	for ctx.Err() == nil {
		notices, more, err := f.next(ctx)
		if err != nil {
			return err
		}
		if len(notices) > 0 {
			if err := g.noteNotices(ctx, c, notices); err != nil {
				return err
			}
		}
		for _, n := range notices {
			if err := out.send(n); err != nil {
				return err
			}
			beaten, last = n.Sequence, time.Now()
		}
		if time.Since(last) >= g.config.Limits.Heartbeat || f.cursor > beaten+maxPage {
			if err := out.beat(f.cursor); err != nil {
				return err
			}
			beaten, last = f.cursor, time.Now()
		}
		if more {
			continue
		}
		f.wait(ctx, g.config.Limits.Heartbeat, ended)
		if _, ok := g.sessions.holder(token); !ok {
			return errSessionEnded
		}
	}
	return nil
}

// noteNotices writes down that staff is told of the log. That somebody read it does not count: two who are told of each other's reading
// would never come to an end.
func (g *Gateway) noteNotices(ctx context.Context, c caller, notices []Notice) error {
	shown := uint64(0)
	for _, n := range notices {
		if n.Kind != kindLogRead {
			shown++
		}
	}
	if notices != nil && shown == 0 {
		return nil
	}
	return g.happenings.noteRead(ctx, c, happening{read: readNotices}, shown)
}

// pace makes who reads the past wait as one who asks for it does.
func (g *Gateway) pace(ctx context.Context, c caller) error {
	for {
		wait := g.accountRequests.take(c.address, 1)
		if wait == 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// cursorOf reads from where on a caller wants to be told: what a stream said last, or else from now on.
func (g *Gateway) cursorOf(r *http.Request) (uint64, error) {
	size, ok := g.feed.end()
	if !ok {
		return 0, unavailable(nil, "the node does not answer")
	}
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	if text == "" {
		return size, nil
	}
	cursor, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, refuse(http.StatusBadRequest, "Last-Event-ID must be a sequence of the log")
	}
	return cursor, nil
}

// serveNotices tells a caller what happens, as server-sent events.
func (g *Gateway) serveNotices(w http.ResponseWriter, r *http.Request, c caller) error {
	if !accepts(r, "text/event-stream") {
		return refuse(http.StatusNotAcceptable, "notices are text/event-stream, or a WebSocket at /notices/websocket")
	}
	cursor, err := g.cursorOf(r)
	if err != nil {
		return err
	}
	ctx, leave, err := g.join(r.Context(), c)
	if err != nil {
		return err
	}
	defer leave()
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	token, _ := bearer(r.Header.Get("Authorization"))
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy in between must not keep them
	w.WriteHeader(http.StatusOK)
	err = g.follow(ctx, c, token, cursor, &eventSink{w: w, rc: rc, stall: g.config.Limits.Stall})
	g.config.Log.Debug("a stream of notices ended", "request", requestOf(r.Context()), "reason", err)
	return nil
}

func accepts(r *http.Request, kind string) bool {
	for _, value := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(value, ",") {
			if name, _, _ := strings.Cut(part, ";"); strings.TrimSpace(name) == kind {
				return true
			}
		}
	}
	return false
}

// join takes a place among those who follow. The context ends with the gateway too; leave gives the place back.
func (g *Gateway) join(ctx context.Context, c caller) (context.Context, func(), error) {
	if !g.followers.take(c.address) {
		return nil, nil, &fault{status: http.StatusTooManyRequests, detail: "too many streams of notices", retry: time.Minute}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.following, cancel)
	g.streams.Add(1)
	return ctx, func() {
		stop()
		cancel()
		g.followers.give(c.address)
		g.streams.Done()
	}, nil
}

// eventSink writes server-sent events (HTML, section 9.2).
type eventSink struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	stall time.Duration
}

func (s *eventSink) send(n Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return s.write("id: %d\nevent: %s\ndata: %s\n\n", n.Sequence, n.Kind, body)
}

// beat sends an id without data: no event, and what a client comes back with.
func (s *eventSink) beat(cursor uint64) error { return s.write(":\nid: %d\n\n", cursor) }

func (s *eventSink) write(format string, args ...any) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return err
	}
	return s.rc.Flush()
}

// socketSink writes text messages: a notice, or an object that has a sequence alone.
type socketSink struct {
	conn  *websocket.Conn
	stall time.Duration
}

func (s *socketSink) send(n Notice) error { return s.write(n) }

func (s *socketSink) beat(cursor uint64) error {
	return s.write(struct {
		Sequence uint64 `json:"sequence"`
	}{cursor})
}

func (s *socketSink) write(v any) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.stall)); err != nil {
		return err
	}
	return s.conn.WriteJSON(v)
}

// serveNoticeSocket tells a caller what happens over a WebSocket. The token comes in the Authorization header, or from a page as a
// subprotocol; never in the URL, which ends up in logs.
func (g *Gateway) serveNoticeSocket(w http.ResponseWriter, r *http.Request) error {
	token, c, err := g.socketCaller(r)
	if err != nil {
		return err
	}
	if origin := r.Header.Get("Origin"); origin != "" && !slices.Contains(g.config.Origins, origin) {
		return refuse(http.StatusForbidden, "pages of this origin may not call")
	}
	cursor, err := g.cursorOf(r)
	if err != nil {
		return err
	}
	ctx, leave, err := g.join(r.Context(), c)
	if err != nil {
		return err
	}
	defer leave()
	upgrader := websocket.Upgrader{Subprotocols: []string{noticeProtocol}, CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(unwrapped(w), r, nil)
	if err != nil {
		g.config.Log.Debug("WebSocket was not opened", "error", err)
		return nil
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A message that is stuck does not hold up the end.
	defer context.AfterFunc(ctx, func() { _ = conn.NetConn().SetWriteDeadline(time.Now().Add(time.Second)) })()
	go func() {
		defer cancel()
		drain(conn)
	}()
	err = g.follow(ctx, c, token, cursor, &socketSink{conn: conn, stall: g.config.Limits.Stall})
	code := websocket.CloseGoingAway
	if errors.Is(err, errSessionEnded) || errors.Is(err, errNobody) {
		code = websocket.ClosePolicyViolation
	}
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	return nil
}

// drain reads what a follower sends, which answers pings and sees the end.
func drain(conn *websocket.Conn) {
	conn.SetReadLimit(socketRead)
	for {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

// socketCaller logs in by the header, as every request, or by the subprotocol.
func (g *Gateway) socketCaller(r *http.Request) (string, caller, error) {
	if token, ok := bearer(r.Header.Get("Authorization")); ok {
		if c := callerOf(r.Context()); !c.isNobody() {
			return token, c, nil
		}
		return "", caller{}, loginNeeded()
	}
	for _, protocol := range websocket.Subprotocols(r) {
		token, ok := strings.CutPrefix(protocol, tokenProtocol)
		if !ok {
			continue
		}
		c, err := g.authenticate(r.Context(), "Bearer "+token)
		if err == nil && c.isNobody() {
			err = loginNeeded()
		}
		return token, c, err
	}
	return "", caller{}, loginNeeded()
}
