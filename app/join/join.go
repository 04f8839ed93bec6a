// Package join takes a server into a network that runs already: it asks the gateways of the members who belongs to the network and how far it
// is, and has CometBFT's light client verify what a snapshot of the state must hash to.
//
// # What is trusted
//
// The hash of the genesis, which the hospitals read to each other. The genesis names the first members, their consensus keys and the keys of
// their gateways. The first block must be signed by more than two thirds of these validators, and from it the light client skips to later
// blocks: each must be signed by more than a third of validators that were verified before and by more than two thirds of its own. Gateways of
// members that came later are learnt from the others. They need no trust: whatever a gateway says of blocks is verified, and a gateway that
// shows another block than the others stops it. A network whose first block is older than [TrustPeriod] needs a newer block that people
// read to each other ([Trust]).
package join

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/x/consortium"
)

const (
	// askTime is how long a gateway may take to answer.
	askTime = 10 * time.Second
	// maxGenesis bounds a genesis, and maxAnswer every other answer.
	maxGenesis = 64 << 20
	maxAnswer  = 1 << 20
	// memberPage is how many members one query asks for, and maxMembers how many in all.
	memberPage = 200
	maxMembers = 2000
)

// Door is a gateway and how it is known.
type Door struct {
	// URL is https://host:port.
	URL string `json:"url"`
	// Fingerprint is the SHA-256 of the public key (SPKI) of its certificate in hex.
	Fingerprint string `json:"fingerprint"`
}

// Gateway is a way to the gateway of a member.
type Gateway struct {
	Door
	http *http.Client
	conn *grpc.ClientConn
	rpc  *rpchttp.HTTP
}

// fingerprintOf is the SHA-256 of the public key that the other side showed; nil where it showed none.
func fingerprintOf(state tls.ConnectionState) []byte {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	return sum[:]
}

// hostOf is the host:port of a gateway's URL.
func hostOf(gateway string) (string, error) {
	u, err := url.Parse(gateway)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return "", fmt.Errorf("gateway %q: want https://host:port", gateway)
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "443"), nil
	}
	return u.Host, nil
}

// Fingerprint asks the gateway at a URL for its certificate and returns the SHA-256 of its public key in hex. Whoever answers there says so:
// it must be compared with what the hospital reads out.
func Fingerprint(ctx context.Context, gateway string) (string, error) {
	host, err := hostOf(gateway)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, //nolint:gosec // what it shows is compared, not believed
	}}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return "", fmt.Errorf("gateway %s: %w: %w", gateway, phr.ErrUnreachable, err)
	}
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return "", errors.Join(fmt.Errorf("gateway %s: %w", gateway, phr.ErrCertificate), conn.Close())
	}
	shown := fingerprintOf(secured.ConnectionState())
	return hex.EncodeToString(shown), conn.Close()
}

// Open prepares a way to a gateway; nothing is sent yet.
func Open(d Door) (*Gateway, error) {
	host, err := hostOf(d.URL)
	if err != nil {
		return nil, err
	}
	pin, err := phr.ParseFingerprint(d.Fingerprint)
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", d.URL, err)
	}
	config := phr.Pinned(pin)
	g := &Gateway{Door: Door{URL: strings.TrimRight(d.URL, "/"), Fingerprint: strings.ToLower(d.Fingerprint)}}
	g.http = &http.Client{
		Timeout: askTime, Transport: &http.Transport{TLSClientConfig: config, TLSHandshakeTimeout: askTime, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if g.conn, err = grpc.NewClient("passthrough:///"+host, grpc.WithTransportCredentials(credentials.NewTLS(config))); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", d.URL, err)
	}
	if g.rpc, err = rpchttp.NewWithClient(g.URL+"/rpc", "/websocket", g.http); err != nil {
		return nil, errors.Join(fmt.Errorf("gateway %s: %w", d.URL, err), g.conn.Close())
	}
	return g, nil
}

// Close ends the connections.
func (g *Gateway) Close() error {
	g.http.CloseIdleConnections()
	return g.conn.Close()
}

// Genesis fetches the text of the network's genesis.
func (g *Gateway) Genesis(ctx context.Context) ([]byte, error) {
	return g.ask(ctx, http.MethodGet, "/genesis", nil, maxGenesis)
}

// HandIn hands the text of a member.json in, for the administrators of the gateway's hospital to propose it. The error is a *phr.Problem where the
// gateway does not take it.
func (g *Gateway) HandIn(ctx context.Context, member []byte) error {
	_, err := g.ask(ctx, http.MethodPost, "/members", member, maxAnswer)
	return err
}

// ask sends a request and reads at most limit bytes of its answer.
func (g *Gateway) ask(ctx context.Context, method, path string, body []byte, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, g.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := g.http.Do(request)
	if err != nil {
		if errors.Is(err, phr.ErrCertificate) {
			return nil, fmt.Errorf("gateway %s: %w", g.URL, err)
		}
		return nil, fmt.Errorf("gateway %s: %w: %w", g.URL, phr.ErrUnreachable, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w: %w", g.URL, phr.ErrUnreachable, err)
	}
	if response.StatusCode/100 != 2 {
		problem := &phr.Problem{}
		if json.Unmarshal(answer, problem) != nil {
			problem = &phr.Problem{}
		}
		problem.Gateway, problem.Status = g.URL, response.StatusCode
		return nil, problem
	}
	if int64(len(answer)) > limit {
		return nil, fmt.Errorf("gateway %s: %s: the answer has more than %d bytes", g.URL, path, limit)
	}
	return answer, nil
}

// members asks for all members of the newest state. What it answers is not verified.
func (g *Gateway) members(ctx context.Context) ([]consortium.Member, error) {
	chain := consortiumv1.NewQueryClient(g.conn)
	var all []consortium.Member
	for key := []byte(nil); ; {
		page, err := chain.Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: &queryv1.PageRequest{Key: key, Limit: memberPage}})
		if err != nil {
			return nil, fmt.Errorf("gateway %s: list members: %w", g.URL, err)
		}
		for _, m := range page.GetMembers() {
			member, err := memberOf(m)
			if err != nil {
				return nil, fmt.Errorf("gateway %s: list members: %w", g.URL, err)
			}
			all = append(all, member)
		}
		if key = page.GetPagination().GetNextKey(); len(key) == 0 || len(all) >= maxMembers {
			return all, nil
		}
	}
}

// memberOf is a member as the chain's own code knows it.
func memberOf(m *consortiumv1.Member) (consortium.Member, error) {
	var member consortium.Member
	encoded, err := proto.Marshal(m)
	if err == nil {
		err = member.Unmarshal(encoded)
	}
	return member, err
}

// doorOf is the door of a member.
func doorOf(m consortium.Member) Door {
	return Door{URL: strings.TrimRight(m.GatewayUrl, "/"), Fingerprint: hex.EncodeToString(m.GatewayFingerprint)}
}
