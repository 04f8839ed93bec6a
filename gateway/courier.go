package gateway

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// deliveryTime is how long one delivery may take.
	deliveryTime = 15 * time.Second
	// deliveryLast is the longest pause between two tries.
	deliveryLast = 5 * time.Minute
	// saveEvery is after how many entries that were not the application's business its place is written down all the same.
	saveEvery = 1000
	// maxReply is how much of an application's answer is read, so that the connection can be used again.
	maxReply = 4 << 10
)

// errGone says that the application wants to be told no more.
var errGone = errors.New("the application answered 410 Gone")

// courier brings notices to one webhook, one after another, each until it was taken. After a restart it goes on behind the last one that
// was: what was delivered and not yet written down comes again, with the same id.
type courier struct {
	hooks  *webhooks
	client *http.Client
	hook   webhook // Cursor and Gone change under mu

	mu      sync.Mutex
	failing time.Time // since when the delivery that is tried fails
	err     error
	cancel  context.CancelFunc
	done    chan struct{}
}

func (h *webhooks) courier(hook webhook) *courier {
	return &courier{hooks: h, hook: hook, client: &http.Client{
		Timeout: deliveryTime,
		// No proxy, which might resolve the name otherwise, and no redirect, which might lead to a host that nobody allowed.
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: h.g.config.WebhookRoots}, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// start begins to deliver; hooks.mu is held.
func (c *courier) start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	c.done = make(chan struct{})
	go func() {
		defer close(c.done)
		defer c.client.CloseIdleConnections()
		c.run(ctx)
	}()
}

// stop ends delivering and waits for it; hooks.mu is held.
func (c *courier) stop() {
	if c.cancel != nil {
		c.cancel()
		<-c.done
	}
}

// body is what an administrator sees.
func (c *courier) body() webhookBody {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := webhookBody{Name: c.hook.Name, URL: c.hook.URL, Kinds: c.hook.Kinds, Cursor: c.hook.Cursor, Gone: c.hook.Gone}
	if !c.failing.IsZero() {
		since := c.failing.UTC()
		b.FailingSince, b.Error = &since, c.err.Error()
	}
	return b
}

// run delivers until ctx ends or the application wants no more.
func (c *courier) run(ctx context.Context) {
	g := c.hooks.g
	f := &follower{
		feed: &g.feed, scope: g.scope, cursor: c.hook.Cursor, who: c.who, pace: func(context.Context, caller) error { return nil },
	}
	for ctx.Err() == nil && !c.hook.Gone {
		if _, known := g.feed.end(); !known {
			f.wait(ctx, feedRetry, nil)
			continue
		}
		notices, more, err := f.next(ctx)
		if err != nil {
			g.config.Log.Debug("webhook waits", "webhook", c.hook.Name, "error", err)
			pauseFor(ctx, feedRetry)
			continue
		}
		for _, n := range notices {
			if len(c.hook.Kinds) > 0 && !slices.Contains(c.hook.Kinds, n.Kind) {
				continue
			}
			if !c.deliver(ctx, n) {
				return
			}
		}
		if f.cursor >= c.hook.Cursor+saveEvery {
			c.reached(f.cursor)
		}
		if !more {
			f.wait(ctx, time.Minute, nil)
		}
	}
}

// who is told: a hospital's application is told what an officer of the hospital is.
func (c *courier) who(ctx context.Context) (caller, error) {
	h, err := c.hooks.g.home(ctx)
	if err != nil {
		return caller{}, err
	}
	if !h.active {
		return caller{}, unavailable(nil, "this hospital may not take part in the network now")
	}
	return caller{address: "webhook " + c.hook.Name, role: roleOfficer, hospital: h.number}, nil
}

// deliver tries until the notice was taken and that is written down; false says that it was not, and that is the end.
func (c *courier) deliver(ctx context.Context, n Notice) bool {
	for pause := c.hooks.g.config.Limits.WebhookRetry; ; pause = min(2*pause, deliveryLast) {
		err := c.post(ctx, n)
		if ctx.Err() != nil {
			return false
		}
		if errors.Is(err, errGone) {
			c.gone()
			return false
		}
		if err == nil {
			c.reached(n.Sequence)
			return true
		}
		c.failed(err)
		if !pauseFor(ctx, pause) {
			return false
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reached writes down that everything up to a sequence was delivered.
func (c *courier) reached(cursor uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing, c.err = time.Time{}, nil
	c.hook.Cursor = cursor
	if err := c.hooks.save(c.hook); err != nil {
		c.hooks.g.config.Log.Error("what a webhook was told may be told again after a restart", "webhook", c.hook.Name, "error", err)
	}
}

func (c *courier) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing.IsZero() {
		c.failing = time.Now()
		c.hooks.g.config.Log.Warn("webhook does not take a notice; it is tried again", "webhook", c.hook.Name, "error", err)
	}
	c.err = err
}

func (c *courier) gone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hook.Gone, c.failing, c.err = true, time.Now(), errGone
	c.hooks.g.config.Log.Warn("webhook wants to be told no more", "webhook", c.hook.Name)
	if err := c.hooks.save(c.hook); err != nil {
		c.hooks.g.config.Log.Error("webhook is asked again after a restart", "webhook", c.hook.Name, "error", err)
	}
}

// behind tells whether something has waited for so long to be taken.
func (c *courier) behind(longest time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.failing.IsZero() && time.Since(c.failing) >= longest
}

// post delivers once, as Standard Webhooks 1.0 says: id, time and body are signed together.
func (c *courier) post(ctx context.Context, n Notice) error {
	h, err := c.hooks.g.home(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      Notice    `json:"data"`
	}{n.Kind, n.Time, n})
	if err != nil {
		return err
	}
	// The file may have been written before the configuration took the host away.
	if err := c.hooks.g.checkWebhookURL(c.hook.URL); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.hook.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s-%d", hex.EncodeToString(h.network[:4]), n.Sequence)
	at := strconv.FormatInt(time.Now().Unix(), 10)
	signature, err := signWebhook(c.hook.Secret, id, at, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Webhook-Id", id)
	request.Header.Set("Webhook-Timestamp", at)
	request.Header.Set("Webhook-Signature", signature)
	request.Header.Set("User-Agent", "phrd")
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.CopyN(io.Discard, response.Body, maxReply); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case response.StatusCode == http.StatusGone:
		return errGone
	case response.StatusCode/100 != 2:
		return fmt.Errorf("the application answered %d", response.StatusCode)
	}
	return nil
}

// signWebhook is the value of Webhook-Signature.
func signWebhook(secret, id, timestamp string, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil {
		return "", errors.New("the webhook's secret can't be read")
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
