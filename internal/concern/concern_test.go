package concern_test

import (
	"testing"

	"github.com/phrd/phrd/internal/concern"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// Whatever a gateway reports concerns the hospital whose gateway it is.
func TestWhatAGatewayReportsConcernsItsHospital(t *testing.T) {
	for number, name := range consortium.SessionKind_name {
		kind := consortium.SessionKind(number)
		if kind == consortium.SESSION_KIND_UNSPECIFIED {
			continue
		}
		if got := concern.Member(kind.AuditKind(), "7/what"); got != 7 {
			t.Errorf("%s, %q: hospital %d, want 7", name, kind.AuditKind(), got)
		}
	}
}

func TestMember(t *testing.T) {
	for _, c := range []struct {
		kind, target string
		want         uint64
	}{
		{audit.KindMemberSuspended, "3", 3},
		{audit.KindLoggedIn, "12", 12},
		{audit.KindLogRead, "2/entries", 2},
		{audit.KindOpened, "2", 2},
		{audit.KindSessionEnded, "2", 2},
		{audit.KindWebhookAdded, "2", 2},
		{audit.KindRoleEnded, "4/phrd1xyz", 4},
		{audit.KindRoleEnded, "0/phrd1xyz", 0},
		{audit.KindNodeLost, "3", 0},             // a storage node's number
		{audit.KindProposalExecuted, "3", 0},     // a proposal's number
		{audit.KindMemberVaultRotated, "3", 0},   // an epoch
		{audit.KindStaffRegistered, "phrd1x", 0}, // an account
		{audit.KindLoggedIn, "", 0},
		{audit.KindLoggedIn, "-1", 0},
		{audit.KindLoggedIn, "99999999999", 0},
	} {
		if got := concern.Member(c.kind, c.target); got != c.want {
			t.Errorf("%s of %q: hospital %d, want %d", c.kind, c.target, got, c.want)
		}
	}
}
