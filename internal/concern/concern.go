// Package concern tells which hospital the target of an entry of the log names. Whether an
// entry concerns a hospital is asked in two places, of what each has at hand: by the index,
// which lists entries, and by the gateway, which shows one.
package concern

import (
	"strconv"
	"strings"
)

// ofMember are the kinds of entries whose target is the number of a member, or begins with
// it and a slash: what is done to the member, and what happened at its gateway.
var ofMember = map[string]bool{
	"member_admitted": true, "member_updated": true, "member_keys_rotated": true, "member_suspended": true, "member_reinstated": true,
	"member_leaving": true, "member_left": true, "member_removed": true, "admin_replaced": true, "double_sign_seen": true,
	"role_ended": true, "opened": true, "logged_in": true, "login_failed": true, "logged_out": true, "session_ended": true, "log_read": true,
	"webhook_added": true, "webhook_removed": true,
	"pepper_deposited": true, "pepper_collected": true, "pepper_refused": true, "pepper_admitted": true, "pepper_deleted": true,
}

// Member is the number of the member that the target of an entry of that kind names; 0 where
// it names none.
func Member(kind, target string) uint64 {
	if !ofMember[kind] {
		return 0
	}
	text, _, _ := strings.Cut(target, "/")
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return number
}
