package consortium

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
)

// MaxSessionReports is how many session reports one message carries at most.
const MaxSessionReports = 100

// Reasons for which a gateway lets nobody in. They are written to the log; the codes never change their meaning.
const (
	// ReasonChallenge says that the text that was signed was not given out, or was used or too old, or was made for another account.
	ReasonChallenge = "challenge"
	// ReasonSignature says that the account's key did not sign.
	ReasonSignature = "signature"
	// ReasonNoRole says that the account has no role, or none that may act now.
	ReasonNoRole = "no_role"
	// ReasonAdmission says that the word of an admission was not given, or that there was none or it had ended.
	ReasonAdmission = "admission"
	// ReasonLocked says that there were too many failures within a short time.
	ReasonLocked = "locked"
	// ReasonRefusedByGateway says that the gateway did not show the log.
	ReasonRefusedByGateway = "refused_by_gateway"
)

// readsOfLog are what of the log a report names.
var readsOfLog = []string{"entries", "entry", "subject", "notices"}

// reasons are those for which each kind of report is a refusal; other kinds are none.
var reasons = map[SessionKind][]string{
	SESSION_KIND_LOGIN_FAILED:   {ReasonChallenge, ReasonSignature, ReasonNoRole},
	SESSION_KIND_PEPPER_REFUSED: {ReasonChallenge, ReasonSignature, ReasonAdmission, ReasonLocked},
}

// ServerRestarted is the way in which sessions end of which a gateway's process was the last to know.
const ServerRestarted = "server_restarted"

// ways are how a device shows that it may have the pepper, and how a session ends; empty is the usual end. Other kinds have none.
var ways = map[SessionKind][]string{
	SESSION_KIND_PEPPER_COLLECTED: {"code", "passkey", "in_person"},
	SESSION_KIND_SESSION_ENDED:    {"", ServerRestarted},
}

// AuditKind is the kind of entry that a report becomes; empty for none.
func (k SessionKind) AuditKind() string {
	switch k {
	case SESSION_KIND_LOGGED_IN:
		return audit.KindLoggedIn
	case SESSION_KIND_LOGIN_FAILED:
		return audit.KindLoginFailed
	case SESSION_KIND_LOGGED_OUT:
		return audit.KindLoggedOut
	case SESSION_KIND_LOG_READ:
		return audit.KindLogRead
	case SESSION_KIND_PEPPER_DEPOSITED:
		return audit.KindPepperDeposited
	case SESSION_KIND_PEPPER_COLLECTED:
		return audit.KindPepperCollected
	case SESSION_KIND_PEPPER_REFUSED:
		return audit.KindPepperRefused
	case SESSION_KIND_PEPPER_ADMITTED:
		return audit.KindPepperAdmitted
	case SESSION_KIND_PEPPER_DELETED:
		return audit.KindPepperDeleted
	case SESSION_KIND_SESSION_ENDED:
		return audit.KindSessionEnded
	case SESSION_KIND_WEBHOOK_ADDED:
		return audit.KindWebhookAdded
	case SESSION_KIND_WEBHOOK_REMOVED:
		return audit.KindWebhookRemoved
	default:
		return ""
	}
}

// Validate answers ErrInvalidReport for a report that no gateway writes.
func (r SessionReport) Validate() error {
	if r.Number == 0 {
		return ErrInvalidReport.Wrap("number is 0")
	}
	if r.Kind.AuditKind() == "" {
		return ErrInvalidReport.Wrapf("report %d: kind %d", r.Number, r.Kind)
	}
	if r.Count > math.MaxInt64 {
		return ErrInvalidReport.Wrapf("report %d: count %d", r.Number, r.Count)
	}
	if err := r.validateAccount(); err != nil {
		return err
	}
	if known, failed := reasons[r.Kind]; failed && !slices.Contains(known, r.Reason) || !failed && r.Reason != "" {
		return ErrInvalidReport.Wrapf("report %d: %s with reason %q", r.Number, r.Kind, r.Reason)
	}
	if known, some := ways[r.Kind]; some && !slices.Contains(known, r.Way) || !some && r.Way != "" {
		return ErrInvalidReport.Wrapf("report %d: %s in way %q", r.Number, r.Kind, r.Way)
	}
	return r.validateRead()
}

// validateAccount: only somebody who did not get in may be nobody.
func (r SessionReport) validateAccount() error {
	if r.Account == "" && r.Kind == SESSION_KIND_LOGIN_FAILED {
		return nil
	}
	// An address has one more text, in capitals, which the log does not take.
	if account, err := sdk.AccAddressFromBech32(r.Account); err != nil || account.String() != r.Account {
		return ErrInvalidReport.Wrapf("report %d: account %q is no address", r.Number, r.Account)
	}
	return nil
}

func (r SessionReport) validateRead() error {
	if r.Kind == SESSION_KIND_PEPPER_ADMITTED {
		if _, err := lock.ParseCanonicalID(r.Patient); err != nil {
			return ErrInvalidReport.Wrapf("report %d: %v", r.Number, err)
		}
		r.Patient = "" // and no more than that
	}
	if r.Kind != SESSION_KIND_LOG_READ {
		if r.Read != "" || r.Patient != "" || r.Record != "" || r.Unlock != "" || r.Refused {
			return ErrInvalidReport.Wrapf("report %d: %s of the log", r.Number, r.Kind)
		}
		return nil
	}
	if !slices.Contains(readsOfLog, r.Read) {
		return ErrInvalidReport.Wrapf("report %d: read %q", r.Number, r.Read)
	}
	for _, id := range []string{r.Patient, r.Record} {
		if id == "" {
			continue
		}
		if _, err := lock.ParseCanonicalID(id); err != nil {
			return ErrInvalidReport.Wrapf("report %d: %v", r.Number, err)
		}
	}
	if b, err := hex.DecodeString(r.Unlock); r.Unlock != "" && (err != nil || len(b) != 32 || strings.ToLower(r.Unlock) != r.Unlock) {
		return ErrInvalidReport.Wrapf("report %d: unlock %q is not 64 lower-case hex digits", r.Number, r.Unlock)
	}
	return nil
}
