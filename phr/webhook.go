package phr

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Webhook is an application of a hospital that the hospital's gateway tells what concerns the hospital: POST requests signed as Standard
// Webhooks 1.0 says.
type Webhook struct {
	// Name by which it is known at the gateway.
	Name string `json:"name"`
	// URL that is told.
	URL string `json:"url"`
	// Kinds of entries of which it is told; none for all.
	Kinds []string `json:"kinds"`
	// Cursor is the sequence of the log up to which everything was delivered.
	Cursor uint64 `json:"cursor"`
	// FailingSince is when what is to be delivered next was tried first; nil where nothing waits.
	FailingSince *time.Time `json:"failing_since"`
	// Error is why it failed last.
	Error string `json:"error"`
	// Gone says that the application answered that it wants no more.
	Gone bool `json:"gone"`
}

// Webhooks lists the webhooks of the gateway that the client was made with. Only administrators of that hospital may see them.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	d := c.configured()
	resp, err := d.request(ctx, http.MethodGet, "/webhooks", nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var list struct {
		Webhooks []Webhook `json:"webhooks"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&list); err != nil {
		return nil, fmt.Errorf("gateway %s: webhooks: %w", d.base, err)
	}
	return list.Webhooks, nil
}

// AddWebhook has an application told from now on, and returns the secret with which the application checks signatures. Nobody can ask for
// it again.
func (c *Client) AddWebhook(ctx context.Context, w Webhook) (secret string, err error) {
	body, err := json.Marshal(map[string]string{"url": w.URL, "kinds": strings.Join(w.Kinds, " ")})
	if err != nil {
		return "", err
	}
	d := c.configured()
	resp, err := d.request(ctx, http.MethodPut, "/webhooks/"+w.Name, http.Header{"Content-Type": {"application/json"}},
		func() io.Reader { return bytes.NewReader(body) })
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Secret string `json:"secret"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return "", fmt.Errorf("gateway %s: webhook: %w", d.base, err)
	}
	return answer.Secret, nil
}

// RemoveWebhook has an application told no more.
func (c *Client) RemoveWebhook(ctx context.Context, name string) error {
	resp, err := c.configured().request(ctx, http.MethodDelete, "/webhooks/"+name, nil, nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
