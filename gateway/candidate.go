package gateway

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

const (
	// candidateSuffix ends the name of the file of a candidate.
	candidateSuffix = ".json"
	// memberPage is how many members one query asks for.
	memberPage = 200
	// maxMembers bounds how many members are asked for in all.
	maxMembers = 2000
)

// A Candidate is a hospital that asks to be admitted to the network, as its member.json says.
type Candidate struct {
	// Name of the hospital.
	Name string
	// ConsensusKey is its validator's public key, 32 bytes, by which it is known.
	ConsensusKey []byte
}

// candidateID is by what a candidate is named: its consensus key in hex.
func (c Candidate) id() string { return hex.EncodeToString(c.ConsensusKey) }

// candidates are the hospitals that handed their member.json in, one file each in a folder. Whoever is a hospital may hand one in,
// so that their number is bounded; a further one is refused, since one that pushed others out could push out all.
type candidates struct {
	folder string
	most   int

	mu sync.Mutex
}

// errCandidates says that there is no room for a further candidate.
var errCandidates = errors.New("too many candidates wait")

func (c *candidates) path(id string) string { return filepath.Join(c.folder, id+candidateSuffix) }

// list returns the ids of all candidates, the longest waiting first, and when each came.
func (c *candidates) list() ([]string, map[string]time.Time, error) {
	entries, err := os.ReadDir(c.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var ids []string
	came := map[string]time.Time{}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), candidateSuffix)
		info, err := e.Info()
		if !ok || err != nil || !e.Type().IsRegular() {
			continue
		}
		ids, came[id] = append(ids, id), info.ModTime()
	}
	slices.SortFunc(ids, func(a, b string) int { return came[a].Compare(came[b]) })
	return ids, came, nil
}

// put keeps a candidate's text, in the place of what it handed in before. The error is errCandidates where there are too many.
func (c *candidates) put(id string, text []byte) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return err
	}
	ids, _, err := c.list()
	if err != nil {
		return err
	}
	if !slices.Contains(ids, id) && len(ids) >= c.most {
		return errCandidates
	}
	f, err := os.CreateTemp(c.folder, ".partial-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.path(id))
}

// forget removes a candidate, and tells whether it was there.
func (c *candidates) forget(id string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids, _, err := c.list()
	if err != nil || !slices.Contains(ids, id) {
		return false, err
	}
	return true, os.Remove(c.path(id))
}

// handedIn says what became of a member.json.
type handedIn struct {
	ID string `json:"id"`
}

// serveHandIn takes a hospital's member.json, for the administrators to see. Nobody needs a login for that, so that only what is
// signed by all its keys is kept, of a hospital that is none of the network's yet.
func (g *Gateway) serveHandIn(w http.ResponseWriter, r *http.Request) error {
	if err := checkType(r, "application/json"); err != nil {
		return err
	}
	body, err := readBody(w, r, maxJSON)
	if err != nil {
		return err
	}
	candidate, err := g.config.OpenMember(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "not a member.json that is signed by all its keys: %v", err)
	}
	members, err := g.members(r.Context())
	if err != nil {
		return unavailable(err, "the node does not answer")
	}
	for _, m := range members {
		if slices.Equal(m.GetConsensusKey(), candidate.ConsensusKey) {
			return refuse(http.StatusConflict, "this hospital is a member already, number %d", m.GetNumber())
		}
		if m.GetStatus() != consortiumv1.MemberStatus_MEMBER_STATUS_LEFT && strings.EqualFold(m.GetName(), candidate.Name) {
			return refuse(http.StatusConflict, "member %d has this name already", m.GetNumber())
		}
	}
	err = g.candidates.put(candidate.id(), body)
	if errors.Is(err, errCandidates) {
		return &fault{
			status: http.StatusInsufficientStorage, detail: fmt.Sprintf("%d hospitals ask to be admitted already, no more are kept here", g.candidates.most),
			hint: "ask this hospital's administrator to take some away (phrd hospital candidates), or send the member.json by mail",
		}
	}
	if err != nil {
		return fmt.Errorf("keep a candidate: %w", err)
	}
	g.config.Log.Info("a hospital asks to be admitted", "name", candidate.Name, "id", candidate.id())
	return answer(w, http.StatusAccepted, handedIn{ID: candidate.id()})
}

// candidateBody is one candidate, as administrators see it.
type candidateBody struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Came   time.Time       `json:"came"`
	Member json.RawMessage `json:"member"`
}

// mayAdmit admits the administrators of this hospital.
func (g *Gateway) mayAdmit(ctx context.Context, c caller) error {
	h, err := g.home(ctx)
	if err != nil {
		return err
	}
	if !c.is(roleAdmin) || !c.of(h.number) {
		return refuse(http.StatusForbidden, "only administrators of this hospital see who asks to be admitted")
	}
	return nil
}

// serveCandidates lists who asks to be admitted. Who has become a member meanwhile is not listed any more.
func (g *Gateway) serveCandidates(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := g.mayAdmit(r.Context(), c); err != nil {
		return err
	}
	if err := g.forgetMembers(r.Context()); err != nil {
		return err
	}
	ids, came, err := g.candidates.list()
	if err != nil {
		return fmt.Errorf("list candidates: %w", err)
	}
	list := []candidateBody{}
	for _, id := range ids {
		text, err := os.ReadFile(g.candidates.path(id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list candidates: %w", err)
		}
		candidate, err := g.config.OpenMember(text)
		if err != nil || candidate.id() != id {
			g.config.Log.Warn("the file of a candidate is damaged and is not shown", "id", id, "error", err)
			continue
		}
		list = append(list, candidateBody{ID: id, Name: candidate.Name, Came: came[id].UTC().Truncate(time.Second), Member: text})
	}
	return answer(w, http.StatusOK, map[string][]candidateBody{"candidates": list})
}

// serveForget takes a candidate away.
func (g *Gateway) serveForget(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := g.mayAdmit(r.Context(), c); err != nil {
		return err
	}
	found, err := g.candidates.forget(r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("forget a candidate: %w", err)
	}
	if !found {
		return notFound()
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forgetMembers removes the candidates that have become members.
func (g *Gateway) forgetMembers(ctx context.Context) error {
	members, err := g.members(ctx)
	if err != nil {
		return unavailable(err, "the node does not answer")
	}
	for _, m := range members {
		if _, err := g.candidates.forget(hex.EncodeToString(m.GetConsensusKey())); err != nil {
			return fmt.Errorf("forget a candidate: %w", err)
		}
	}
	return nil
}

// members asks the chain for all members.
func (g *Gateway) members(ctx context.Context) ([]*consortiumv1.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	chain := consortiumv1.NewQueryClient(g.config.Chain)
	var all []*consortiumv1.Member
	for key := []byte(nil); ; {
		page, err := chain.Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: &queryv1.PageRequest{Key: key, Limit: memberPage}})
		if err != nil {
			return nil, fmt.Errorf("list the members: %w", err)
		}
		all = append(all, page.GetMembers()...)
		if key = page.GetPagination().GetNextKey(); len(key) == 0 || len(all) >= maxMembers {
			return all, nil
		}
	}
}
