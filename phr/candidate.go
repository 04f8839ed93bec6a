package phr

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Candidate is a hospital that handed its member.json in at a gateway, to be admitted to the network. Nobody has proposed it for that.
type Candidate struct {
	// ID is by what the gateway knows it: its consensus key in hex.
	ID string `json:"id"`
	// Name is what it calls itself.
	Name string `json:"name"`
	// Came is when the gateway got it.
	Came time.Time `json:"came"`
	// Member is its member.json, signed by all its keys.
	Member json.RawMessage `json:"member"`
}

// maxCandidates bounds the list of candidates.
const maxCandidates = 4 << 20

// Candidates lists the hospitals that ask the hospital of the gateway to be admitted. Only its administrators may see them.
func (c *Client) Candidates(ctx context.Context) ([]Candidate, error) {
	home := c.configured()
	resp, err := home.request(ctx, http.MethodGet, "/members", nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var list struct {
		Candidates []Candidate `json:"candidates"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxCandidates)).Decode(&list); err != nil {
		return nil, fmt.Errorf("gateway %s: /members answers no JSON: %w: %w", home.base, err, ErrUnreachable)
	}
	return list.Candidates, nil
}

// ForgetCandidate removes a candidate from the gateway. The error is ErrNotFound where there is none.
func (c *Client) ForgetCandidate(ctx context.Context, id string) error {
	resp, err := c.configured().request(ctx, http.MethodDelete, "/members/"+id, nil, nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
