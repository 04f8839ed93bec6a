package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

const (
	webhookFolder = "webhooks"
	// maxWebhooks is how many applications of the hospital are told.
	maxWebhooks = 16
	// maxWebhookKinds is how many kinds of entries one may name.
	maxWebhookKinds = 64
	// webhookSecretSize is the size of a secret in bytes.
	webhookSecretSize = 32
	// secretPrefix begins a secret as text (Standard Webhooks).
	secretPrefix = "whsec_"
)

var (
	webhookName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	entryKind   = regexp.MustCompile(`^[a-z][a-z_]{0,63}$`)
)

// errKnownWebhook says that there is a webhook of that name.
var errKnownWebhook = refuse(http.StatusConflict, "there is a webhook of that name: remove it first")

// webhook is an application of the hospital that is told of what concerns the hospital. It is kept in a file, which alone knows the
// secret and what was delivered.
type webhook struct {
	Name string `json:"name"`
	// URL is told with POST; its host is one of those that the server's configuration allows.
	URL string `json:"url"`
	// Kinds of entries of which it is told; none for all.
	Kinds []string `json:"kinds,omitempty"`
	// Secret is the key of HMAC-SHA256, as text.
	Secret string `json:"secret"`
	// Cursor is the sequence up to which everything was delivered.
	Cursor uint64 `json:"cursor"`
	// Gone says that the application answered that it wants no more.
	Gone bool `json:"gone,omitempty"`
}

// webhooks are those of a gateway.
type webhooks struct {
	g      *Gateway
	folder string

	mu sync.Mutex
	by map[string]*courier
}

// openWebhooks reads what was registered before.
func openWebhooks(g *Gateway) (*webhooks, error) {
	h := &webhooks{g: g, folder: filepath.Join(g.config.Folder, webhookFolder), by: map[string]*courier{}}
	if err := os.MkdirAll(h.folder, 0o700); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(h.folder, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		encoded, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var hook webhook
		if err := json.Unmarshal(encoded, &hook); err != nil || hook.Name+".json" != filepath.Base(file) {
			return nil, fmt.Errorf("webhook in %s can't be read: %w", file, err)
		}
		h.by[hook.Name] = h.courier(hook)
	}
	return h, nil
}

// save makes a webhook durable.
func (h *webhooks) save(hook webhook) error {
	encoded, err := json.MarshalIndent(hook, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(h.folder, hook.Name+".json")
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(encoded)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncFolder(h.folder)
}

// run tells every webhook until ctx ends.
func (h *webhooks) run(ctx context.Context) {
	h.mu.Lock()
	for _, c := range h.by {
		c.start(ctx)
	}
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.by {
		c.stop()
	}
}

// all lists the couriers by name.
func (h *webhooks) all() []*courier {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*courier, 0, len(h.by))
	for _, c := range h.by {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *courier) int { return strings.Compare(a.hook.Name, b.hook.Name) })
	return list
}

// has tells whether there is a webhook of a name.
func (h *webhooks) has(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.by[name] != nil
}

// add registers a webhook, durably, and begins to tell it what happens from now on.
func (h *webhooks) add(hook webhook) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by[hook.Name] != nil {
		return errKnownWebhook
	}
	if len(h.by) >= maxWebhooks {
		return refuse(http.StatusConflict, "there are %d webhooks, which is the most", maxWebhooks)
	}
	if err := h.save(hook); err != nil {
		return fmt.Errorf("keep webhook: %w", err)
	}
	c := h.courier(hook)
	h.by[hook.Name] = c
	c.start(h.g.work)
	return nil
}

// remove forgets a webhook with its secret.
func (h *webhooks) remove(name string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.by[name]
	if c == nil {
		return false, nil
	}
	c.stop()
	delete(h.by, name)
	if err := os.Remove(filepath.Join(h.folder, name+".json")); err != nil {
		return false, fmt.Errorf("remove webhook: %w", err)
	}
	return true, syncFolder(h.folder)
}

// checkWebhookURL lets a webhook be told at https and at a host that whoever runs the server has named: an administrator of the hospital
// does not thereby reach whatever this server reaches.
func (g *Gateway) checkWebhookURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || len(text) > maxTarget {
		return refuse(http.StatusBadRequest, "url is not https://host/path")
	}
	host := hostOf(text)
	if !slices.Contains(g.config.WebhookHosts, host) {
		return &fault{
			status: http.StatusForbidden, detail: fmt.Sprintf("host %.100q is not allowed for webhooks", host),
			hint: "whoever runs the server names it in webhook_hosts of app.toml",
		}
	}
	return nil
}

// CheckWebhookHost returns an error unless the text is a host:port of a configuration, with the port written out.
func CheckWebhookHost(text string) error {
	if host, port, err := net.SplitHostPort(text); err != nil || host == "" || port == "" || hostOf("https://"+text) != text {
		return fmt.Errorf("webhook host %q is not host:port", text)
	}
	return nil
}

// ownAdmin lets administrators of this hospital alone.
func (g *Gateway) ownAdmin(ctx context.Context, c caller) error {
	h, err := g.home(ctx)
	if err != nil {
		return err
	}
	if !c.is(roleAdmin) || !c.of(h.number) {
		return refuse(http.StatusForbidden, "webhooks are for the administrators of this hospital")
	}
	return nil
}

// serveWebhookAdd registers a webhook and answers its secret, this once.
func (g *Gateway) serveWebhookAdd(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := g.ownAdmin(r.Context(), c); err != nil {
		return err
	}
	name := r.PathValue("name")
	if !webhookName.MatchString(name) {
		return refuse(http.StatusBadRequest, "a webhook's name is made of a-z, 0-9 and -, at most 32")
	}
	fields, err := readFields(w, r, "url", "kinds")
	if err != nil {
		return err
	}
	if err := g.checkWebhookURL(fields["url"]); err != nil {
		return err
	}
	kinds, err := parseKinds(fields["kinds"])
	if err != nil {
		return err
	}
	// Asked of the node, and not of who follows the log and may be behind: it is told from now on.
	head, err := auditv1.NewQueryClient(g.config.Chain).Head(r.Context(), &auditv1.QueryHeadRequest{})
	if err != nil {
		return unavailable(err, "the node does not answer")
	}
	var secret [webhookSecretSize]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("draw secret: %w", err)
	}
	hook := webhook{
		Name: name, URL: fields["url"], Kinds: kinds, Secret: secretPrefix + base64.StdEncoding.EncodeToString(secret[:]), Cursor: head.GetSize(),
	}
	if g.webhooks.has(name) {
		return errKnownWebhook
	}
	if err := g.noteSession(r.Context(), consortiumv1.SessionKind_SESSION_KIND_WEBHOOK_ADDED, c.address, mark{}); err != nil {
		return err
	}
	if err := g.webhooks.add(hook); err != nil {
		return err
	}
	return answer(w, http.StatusCreated, struct {
		Secret string `json:"secret"`
	}{hook.Secret})
}

// parseKinds reads kinds of entries, separated by spaces; none stands for all.
func parseKinds(text string) ([]string, error) {
	kinds := strings.Fields(text)
	if len(kinds) > maxWebhookKinds {
		return nil, refuse(http.StatusBadRequest, "more than %d kinds", maxWebhookKinds)
	}
	for _, kind := range kinds {
		if !entryKind.MatchString(kind) {
			return nil, refuse(http.StatusBadRequest, "%.40q is no kind of entry", kind)
		}
	}
	return kinds, nil
}

// webhookBody is what an administrator sees of a webhook.
type webhookBody struct {
	Name  string   `json:"name"`
	URL   string   `json:"url"`
	Kinds []string `json:"kinds"`
	// Cursor is the sequence up to which everything was delivered.
	Cursor uint64 `json:"cursor"`
	// FailingSince is when the delivery that is tried was tried first.
	FailingSince *time.Time `json:"failing_since"`
	// Error is why it failed last.
	Error string `json:"error"`
	Gone  bool   `json:"gone"`
}

func (g *Gateway) serveWebhooks(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := g.ownAdmin(r.Context(), c); err != nil {
		return err
	}
	list := []webhookBody{}
	for _, x := range g.webhooks.all() {
		list = append(list, x.body())
	}
	return answer(w, http.StatusOK, struct {
		Webhooks []webhookBody `json:"webhooks"`
	}{list})
}

func (g *Gateway) serveWebhookRemove(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := g.ownAdmin(r.Context(), c); err != nil {
		return err
	}
	name := r.PathValue("name")
	if !g.webhooks.has(name) {
		return notFound()
	}
	if err := g.noteSession(r.Context(), consortiumv1.SessionKind_SESSION_KIND_WEBHOOK_REMOVED, c.address, mark{}); err != nil {
		return err
	}
	removed, err := g.webhooks.remove(name)
	if err != nil {
		return err
	}
	if !removed {
		return notFound()
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
