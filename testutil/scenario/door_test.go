package scenario_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/testutil/scenario"
)

// Only the servers of members and their storage nodes get in at the two ports between hospitals.
func TestOnlyListedPeersGetIn(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4))
	alice, clinic, north := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("north")
	scan := clinic.Store(alice, "chest.dcm")

	unlisted := scenario.NewPeer(t)
	unlisted.CannotJoin(clinic)
	if err := unlisted.FetchFrom(clinic, scan); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("an unlisted peer fetches: %v", err)
	}

	north.Stop()
	listed := north.Peer()
	listed.Joins(clinic)
	if err := listed.FetchFrom(clinic, scan); err != nil {
		t.Errorf("a member's server fetches: %v", err)
	}
	north.Start()
}

func TestDoors(t *testing.T) {
	t.Parallel()
	net := scenario.Join(t)
	alice, clinic := net.Patient("alice"), net.Hospital("clinic")
	scan := clinic.Store(alice, "chest.dcm")

	t.Run("everybody at the gateway", func(t *testing.T) {
		clinic := clinic.In(t)
		for path, want := range map[string]string{
			"/healthz": `"ok"`, "/readyz": `"ready":true`, "/chain": `"chain_id":"` + scenario.ChainID + `"`, "/genesis": `"app_state"`,
			"/phrd/consortium/v1/members": `"clinic"`, "/cosmos/base/tendermint/v1beta1/node_info": `"network"`, "/rpc/status": `"latest_block_height"`,
		} {
			if status, body := clinic.Get(path); status != http.StatusOK || !strings.Contains(string(body), want) {
				t.Errorf("GET %s: %d %.200s", path, status, body)
			}
		}
		for _, path := range []string{
			"/phrd/consortium/v1/proposals", "/phrd/records/v1/records/" + scan.Record.String(), "/records/" + scan.Record.String() + "/versions/1/content",
			"/blocks/" + scan.Envelope.String(), "/rpc/dump_consensus_state", "/rpc/unsafe_flush_mempool", "/cosmos/auth/v1beta1/accounts",
		} {
			if status, body := clinic.Get(path); status == http.StatusOK {
				t.Errorf("GET %s without a login: %d %.200s", path, status, body)
			}
		}
	})

	t.Run("who is logged in, over REST", func(t *testing.T) {
		path := "/phrd/records/v1/records/" + scan.Record.String()
		status, body := alice.In(t).Call(http.MethodGet, path, nil)
		var answer struct {
			Record struct{ ID, Patient string }
		}
		if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK || answer.Record.Patient != alice.Number {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
		if status, _ := net.In(t).Hospital("north").Clerk().Call(http.MethodGet, path, nil); status != http.StatusNotFound {
			t.Errorf("another hospital's clerk gets %d", status)
		}
		// The log's head is there for everybody who is logged in, and a height that is none is the caller's mistake.
		if status, body := alice.In(t).CallAt("none", "/phrd/audit/v1/head"); status != http.StatusBadRequest {
			t.Errorf("at height \"none\": %d %s", status, body)
		}
	})

	t.Run("the hospital itself on loopback", func(t *testing.T) {
		clinic := clinic.In(t)
		for path, want := range map[string]string{
			"/phrd/consortium/v1/members": `"clinic"`, "/cosmos/base/tendermint/v1beta1/syncing": `"syncing"`,
			"/openapi/": "<html", "/openapi/phrd.swagger.json": "/phrd/consortium/v1/members",
		} {
			if status, body := clinic.GetLocal(path); status != http.StatusOK || !strings.Contains(string(body), want) {
				t.Errorf("GET %s: %d %.200s", path, status, body)
			}
		}
		clinic.Serves("phrd.records.v1.Query", "cosmos.tx.v1beta1.Service", "grpc.health.v1.Health")
	})
}
