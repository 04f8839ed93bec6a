package gateway_test

import (
	"net/http"
	"slices"
	"testing"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
)

// Blocks of a recovery go to whom they concern, as long as it is open; the vault goes to who proposed it once it is ready.
func TestBlocksOfARecovery(t *testing.T) {
	d := newDoor(t)
	check := func(what string, cid lock.CID, query string, allowed ...string) {
		t.Helper()
		for _, who := range everyone {
			want := http.StatusNotFound
			if slices.Contains(allowed, who) {
				want = http.StatusOK
			}
			if resp := d.do(who, http.MethodGet, "/blocks/"+cid.String()+query, nil, nil); resp.StatusCode != want {
				t.Errorf("%s for %s: %d, want %d", what, who, resp.StatusCode, want)
			}
		}
	}
	check("the one-time key", d.recovery.rk, "?recovery=1", "bob", "newcomer")
	check("a guardian's share", d.recovery.capsule, "?recovery=1", "newcomer")
	check("shares by the recovery", d.recovery.shares, "?recovery=1")
	check("shares", d.recovery.shares, "?guarded="+d.alice, "alice", "bob")
	check("shares of another patient", d.recovery.shares, "?guarded="+d.carol)
	check("the vault before it is ready", d.vault, "?recovery=1", "alice")
	for _, query := range []string{"?recovery=2", "?recovery=99", "?recovery=x", "?recovery=0"} {
		check("the one-time key "+query, d.recovery.rk, query)
	}
	d.node.change(func() {
		d.node.recoveries[1].Status = accessv1.RecoveryStatus_RECOVERY_STATUS_READY
		d.node.recoveries[1].Vault = &recordsv1.Vault{Blob: d.vault.String()}
	})
	check("the vault", d.vault, "?recovery=1", "alice", "newcomer")
	d.node.change(func() { d.node.recoveries[1].Status = accessv1.RecoveryStatus_RECOVERY_STATUS_CANCELLED })
	check("the one-time key of one that ended", d.recovery.rk, "?recovery=1")
	check("the vault of one that ended", d.vault, "?recovery=1", "alice")
}
