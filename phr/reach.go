package phr

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
)

// Reached is what a call to one port of a hospital's server came to.
type Reached struct {
	// Port is comet, libp2p or gateway.
	Port string `json:"port"`
	// Address is the one that stands on the chain.
	Address string `json:"address"`
	// Answers says that something answered there.
	Answers bool `json:"answers"`
	// Known says that it has the key that stands on the chain.
	Known bool `json:"known"`
}

// Reach is what another hospital's server found when it called this hospital's.
type Reach struct {
	// From is the gateway that was asked to call.
	From Door `json:"from"`
	// Ports are what it found; empty where Err says why it did not call.
	Ports []Reached `json:"ports"`
	Err   error     `json:"-"`
}

// Reach asks the gateways of up to so many other hospitals to call the ports of the account's own hospital, at the addresses that stand
// on the chain. Only admins may ask. The error says that no list of gateways could be had.
func (c *Client) Reach(ctx context.Context, hospital uint64, atMost int) ([]Reach, error) {
	if err := c.learn(ctx); err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(c.order(), func(d *door) bool { return d.hospital() == hospital || d.hospital() == 0 })
	all := make([]Reach, min(len(others), atMost))
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			d := others[i]
			all[i].From = d.Door
			all[i].Ports, all[i].Err = c.reachFrom(ctx, d)
		})
	}
	group.Wait()
	return all, nil
}

// reachFrom asks one gateway.
func (c *Client) reachFrom(ctx context.Context, d *door) ([]Reached, error) {
	var answer struct {
		Reached []Reached `json:"reached"`
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	response, err := d.request(ctx, http.MethodPost, "/reach", nil, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("gateway %s: /reach answers no JSON: %w: %w", d.base, err, ErrUnreachable)
	}
	return answer.Reached, nil
}
