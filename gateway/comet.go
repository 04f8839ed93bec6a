package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// maxRPCAnswer is the longest answer of the node's RPC that is handed on.
	maxRPCAnswer = 8 << 20
	// socketIdle ends a WebSocket on which nothing comes.
	socketIdle = 2 * time.Minute
)

// cometMethods are the methods of CometBFT's RPC that are served, with the parameters that
// each may have: what a wallet needs and what another member needs to join.
var cometMethods = map[string][]string{
	"health":            {},
	"status":            {},
	"header":            {"height"},
	"commit":            {"height"},
	"validators":        {"height", "page", "per_page"},
	"consensus_params":  {"height"},
	"tx":                {"hash", "prove"},
	"abci_query":        {"path", "data", "height", "prove"},
	"broadcast_tx_sync": {"tx"},
}

// cometCall is a JSON-RPC call.
type cometCall struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method"`
	Params  map[string]any  `json:"params"`
}

// cometError is the error of a JSON-RPC answer.
type cometError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    string `json:"data,omitempty"`
}

type cometAnswer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   *cometError     `json:"error"`
}

// comet is the part of CometBFT's RPC that everybody may use. A call is read, checked and
// written anew for the node, so that nothing reaches it that was not understood here.
type comet struct {
	g      *Gateway
	url    string
	client *http.Client
	socket websocket.Upgrader
}

func newComet(g *Gateway) *comet {
	c := &comet{g: g, url: g.config.RPC, client: &http.Client{
		Timeout:       g.config.Limits.QueryTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.socket = websocket.Upgrader{CheckOrigin: func(r *http.Request) bool {
		origin := r.Header.Get("Origin")
		return origin == "" || slices.Contains(g.config.Origins, origin)
	}}
	return c
}

// check refuses a call that is not served to everybody.
func (c *comet) check(call *cometCall) error {
	allowed, ok := cometMethods[call.Method]
	if !ok {
		return fmt.Errorf("method %.40q is not served here", call.Method)
	}
	for name, value := range call.Params {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("%s has no parameter %.40q", call.Method, name)
		}
		switch value.(type) {
		case nil, string, bool, float64:
		default:
			return fmt.Errorf("parameter %s is not a plain value", name)
		}
	}
	if call.Method == "abci_query" {
		path, _ := call.Params["path"].(string)
		if r, ok := c.g.scope.rules[path]; !ok || !r.public {
			return fmt.Errorf("path %.80q is not served here without a login", path)
		}
	}
	return nil
}

// forward asks the node. The answer is its body as it came.
func (c *comet) forward(ctx context.Context, call *cometCall) ([]byte, error) {
	if call.Params == nil {
		call.Params = map[string]any{}
	}
	call.Version = "2.0"
	body, err := json.Marshal(call)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, unavailable(err, "the node does not answer")
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxRPCAnswer+1))
	if err != nil {
		return nil, unavailable(err, "the node does not answer")
	}
	if len(answer) > maxRPCAnswer || !json.Valid(answer) {
		return nil, refuse(http.StatusBadGateway, "the node's answer is too long, or no JSON")
	}
	return answer, nil
}

// parseCall reads a call as JSON.
func parseCall(body []byte) (*cometCall, error) {
	var call cometCall
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&call); err != nil {
		return nil, fmt.Errorf("not one JSON-RPC call with named parameters: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("not one JSON-RPC call")
	}
	if len(call.ID) > 64 || len(call.ID) > 0 && (call.ID[0] == '{' || call.ID[0] == '[') {
		return nil, fmt.Errorf("the id is not a short plain value")
	}
	return &call, nil
}

// answerCall answers one call that came as JSON, always with JSON-RPC.
func (c *comet) answerCall(ctx context.Context, body []byte) []byte {
	refused := cometAnswer{Version: "2.0", ID: json.RawMessage("null")}
	call, err := parseCall(body)
	if err == nil {
		if len(call.ID) > 0 {
			refused.ID = call.ID
		}
		if err = c.check(call); err == nil {
			var answer []byte
			if answer, err = c.forward(ctx, call); err == nil {
				return answer
			}
		}
		refused.Error = &cometError{Code: -32601, Message: "Method not served", Data: publicText(err)}
	} else {
		refused.Error = &cometError{Code: -32600, Message: "Invalid Request", Data: err.Error()}
	}
	text, err := json.Marshal(refused)
	if err != nil {
		return []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"Internal error"}}`)
	}
	return text
}

// publicText is what a caller may see of an error.
func publicText(err error) string {
	if f, ok := err.(*fault); ok { //nolint:errorlint // faults are not wrapped here
		return f.detail
	}
	return err.Error()
}

func (c *comet) servePost(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r, maxMessage)
	if err != nil {
		return err
	}
	return sendJSON(w, c.answerCall(r.Context(), body))
}

func sendJSON(w http.ResponseWriter, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, err := w.Write(body)
	return err
}

// cometDigits are the numbers that CometBFT takes in a URL.
var cometDigits = regexp.MustCompile(`^[0-9]{1,19}$`)

// serveGet serves a call in a URL, as CometBFT does: strings in quotes, bytes as 0x and hex.
func (c *comet) serveGet(w http.ResponseWriter, r *http.Request) error {
	call := &cometCall{ID: json.RawMessage("-1"), Method: r.PathValue("method"), Params: map[string]any{}}
	for name, values := range r.URL.Query() {
		if len(values) != 1 {
			return refuse(http.StatusBadRequest, "parameter %.40q stands there twice", name)
		}
		value, err := urlValue(call.Method, name, values[0])
		if err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
		call.Params[name] = value
	}
	if err := c.check(call); err != nil {
		return refuse(http.StatusNotFound, "%v", err)
	}
	answer, err := c.forward(r.Context(), call)
	if err != nil {
		return err
	}
	return sendJSON(w, answer)
}

// urlValue turns a value of a URL into one of JSON: numbers are strings there, and bytes are
// hex in abci_query's data, else base64.
func urlValue(method, name, text string) (any, error) {
	switch {
	case text == "true" || text == "false":
		return text == "true", nil
	case cometDigits.MatchString(text):
		return text, nil
	case strings.HasPrefix(text, "0x"):
		b, err := hex.DecodeString(text[2:])
		if err != nil {
			return nil, fmt.Errorf("parameter %.40q is not hex", name)
		}
		if method == "abci_query" {
			return hex.EncodeToString(b), nil
		}
		return base64.StdEncoding.EncodeToString(b), nil
	case len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"':
		return text[1 : len(text)-1], nil
	}
	return nil, fmt.Errorf("parameter %.40q is no number, truth, hex or quoted text", name)
}

// serveSocket serves calls over a WebSocket, one after another. Subscriptions are not served.
func (c *comet) serveSocket(w http.ResponseWriter, r *http.Request) error {
	from := c.g.from(r)
	// The upgrade needs the connection itself, and answers errors by itself.
	conn, err := c.socket.Upgrade(unwrapped(w), r, nil)
	if err != nil {
		c.g.config.Log.Debug("WebSocket was not opened", "error", err)
		return nil
	}
	defer conn.Close()
	conn.SetReadLimit(maxMessage)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(socketIdle)); err != nil {
			return nil
		}
		kind, body, err := conn.ReadMessage()
		if err != nil || kind != websocket.TextMessage {
			return nil
		}
		if c.g.requests.take(from, 1) > 0 {
			return nil
		}
		if err := conn.SetWriteDeadline(time.Now().Add(c.g.config.Limits.Stall)); err != nil {
			return nil
		}
		if err := conn.WriteMessage(websocket.TextMessage, c.answerCall(r.Context(), body)); err != nil {
			return nil
		}
	}
}

// unwrapped is the server's own writer.
func unwrapped(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}
