package fhir

// pattern is what entries of a kind are as events.
type pattern struct {
	kind   Coding // of event
	sub    Coding // none of FHIR's or DICOM's where it is empty
	action string
	// profile is the BALP profile that an event may follow, and after "Patient" where it names one; empty for none.
	profile string
	// part is the code of the actor's participation.
	part Coding
	// reads says that data go from the network to the actor.
	reads bool
}

// Actions of an event.
const (
	create  = "C"
	read    = "R"
	update  = "U"
	remove  = "D"
	execute = "E"
)

var (
	author    = Coding{participationSystem, "AUT", "author (originator)"}
	recipient = Coding{participationSystem, "IRCP", "information recipient"}
	custodian = Coding{participationSystem, "CST", "custodian"}
	authority = Coding{participationSystem, "LA", "legal authenticator"}

	source      = Coding{dcmSystem, "110153", "Source Role ID"}
	destination = Coding{dcmSystem, "110152", "Destination Role ID"}
	application = Coding{dcmSystem, "110150", "Application"}
	keeper      = Coding{participantSystem, "custodian", "Custodian"}

	rest     = Coding{eventTypeSystem, "rest", "RESTful Operation"}
	activity = Coding{dcmSystem, "110100", "Application Activity"}
	security = Coding{dcmSystem, "110113", "Security Alert"}
)

func lifecycle(code, display string) Coding {
	return Coding{lifecycleSystem, code, display + " Record Lifecycle Event"}
}

// Operations on versions.
var (
	stores  = pattern{kind: rest, sub: Coding{interactionSystem, "create", "create"}, action: create, profile: "Create", part: author}
	opens   = pattern{kind: rest, sub: Coding{interactionSystem, "read", "read"}, action: read, profile: "Read", part: recipient, reads: true}
	seals   = pattern{kind: rest, sub: Coding{interactionSystem, "update", "update"}, action: update, profile: "Update", part: author}
	erases  = pattern{kind: rest, sub: Coding{interactionSystem, "delete", "delete"}, action: remove, profile: "Delete", part: custodian}
	attests = pattern{kind: lifecycle("destroy", "Destroy/Delete"), action: remove, part: custodian}
	moves   = pattern{kind: lifecycle("transmit", "Transmit"), action: create, part: custodian}
	checks  = pattern{kind: lifecycle("verify", "Verify"), action: execute, part: custodian}
	reveals = pattern{kind: lifecycle("decrypt", "Decrypt"), action: execute, part: custodian}
)

// Who may, and who decides.
var (
	asks     = pattern{kind: activity, action: execute, part: recipient}
	decides  = pattern{kind: activity, action: execute, part: authority}
	grants   = pattern{kind: security, sub: Coding{dcmSystem, "110137", "User Security Attributes Changed"}, action: update, part: authority}
	breaks   = pattern{kind: security, sub: Coding{dcmSystem, "110127", "Emergency Override Started"}, action: execute, part: recipient}
	rotates  = pattern{kind: security, sub: Coding{dcmSystem, "110132", "Use of a restricted function"}, action: update, part: author}
	appoints = pattern{kind: security, sub: Coding{dcmSystem, "110136", "Security Roles Changed"}, action: update, part: authority}
	arranges = pattern{kind: security, sub: Coding{dcmSystem, "110131", "Software Configuration"}, action: update, part: authority}
	deals    = pattern{kind: security, sub: Coding{dcmSystem, "110132", "Use of a restricted function"}, action: execute, part: custodian}
	alarms   = pattern{kind: security, sub: Coding{dcmSystem, "110135", "Object Security Attributes Changed"}, action: execute, part: custodian}
)

// Who is there, and who looks at the log (DICOM PS3.15, A.5.1).
var (
	enters = pattern{kind: Coding{dcmSystem, "110114", "User Authentication"}, sub: Coding{dcmSystem, "110122", "Login"}, action: execute, part: author}
	leaves = pattern{kind: Coding{dcmSystem, "110114", "User Authentication"}, sub: Coding{dcmSystem, "110123", "Logout"}, action: execute, part: author}
	audits = pattern{kind: Coding{dcmSystem, "110101", "Audit Log Used"}, action: read, part: recipient, reads: true}
)

// patterns has every kind of x/audit/kinds.go.
var patterns = map[string]pattern{
	"stored": stores, "opened": opens, "resealed": seals, "relocked": seals, "relock_confirmed": seals, "relock_expired": seals,
	"replicated": moves, "copy_reassigned": moves, "copy_lost": checks, "proof_missed": checks, "proof_disputed": checks, "proof_failed": checks,
	"node_lost": alarms, "node_returned": alarms,
	"erasure_asked": asks, "erased": erases, "erasure_attested": attests,

	"proposed": asks, "endorsed": decides, "approved": decides, "denied": decides, "withdrawn": decides, "expired": decides,
	"share_given": reveals, "released": reveals,
	"consent_granted": grants, "consent_used": decides, "consent_withdrawn": grants, "consent_ended": grants,
	"emergency_enabled": grants, "emergency_disabled": grants, "emergency_requested": breaks, "emergency_approved": decides, "emergency_due": decides, "emergency_reviewed": decides,
	"guardians_set": grants, "guardians_ended": grants,
	"recovery_proposed": asks, "recovery_approved": decides, "recovery_due": decides, "recovery_released": reveals, "recovery_cancelled": decides,
	"recovery_expired": decides, "wallet_recovered": grants,

	"round_started": deals, "round_failed": deals, "round_key_published": deals, "dealt": deals, "deals_checked": deals, "deals_disputed": deals,
	"deal_justified": deals, "dealer_excluded": deals, "share_confirmed": deals, "key_made": deals, "shares_renewed": deals,

	"patient_registered": grants, "vault_rotated": rotates, "vault_written": rotates, "wallet_changed": grants,
	"hand_over_set": grants, "wallet_closed": grants,
	"invitation_created": grants, "invitation_revoked": grants, "account_opened": grants,

	"logged_in": enters, "login_failed": enters, "logged_out": leaves, "session_ended": leaves, "log_read": audits,
	"webhook_added": arranges, "webhook_removed": arranges,
	"pepper_deposited": rotates, "pepper_collected": rotates, "pepper_refused": rotates, "pepper_admitted": decides, "pepper_deleted": rotates,

	"staff_registered": appoints, "staff_revoked": appoints, "staff_updated": appoints, "staff_vault_published": rotates,
	"auditor_appointed": appoints, "auditor_dismissed": appoints, "role_ended": appoints,
	"site_added": arranges, "site_updated": arranges, "site_removed": arranges,
	"storage_node_registered": arranges, "storage_node_updated": arranges, "storage_node_retired": arranges,

	"member_admitted": arranges, "member_updated": arranges, "member_keys_rotated": rotates, "member_vault_rotated": rotates, "emergency_vault_rotated": rotates,
	"member_suspended": arranges, "member_reinstated": arranges, "member_leaving": arranges, "member_left": arranges, "member_removed": arranges,
	"admin_replaced": appoints, "double_sign_seen": alarms,

	"proposal_submitted": arranges, "proposal_voted": arranges, "proposal_withdrawn": arranges, "proposal_executed": arranges, "proposal_failed": arranges,
	"proposal_rejected": arranges, "params_changed": arranges,
}
