package consortium

// Text is the role's word in the log and in the rules; empty for no role.
func (r Role) Text() string {
	switch r {
	case ROLE_ADMIN:
		return "admin"
	case ROLE_CLERK:
		return "clerk"
	case ROLE_CLINICIAN:
		return "clinician"
	case ROLE_OFFICER:
		return "officer"
	case ROLE_AUDITOR:
		return "auditor"
	case ROLE_PATIENT:
		return "patient"
	case ROLE_NODE:
		return "node"
	case ROLE_STORAGE:
		return "storage"
	default:
		return ""
	}
}

// ParseRole is the role of that word; ErrInvalidRole for another.
func ParseRole(text string) (Role, error) {
	for r := ROLE_ADMIN; r <= ROLE_STORAGE; r++ {
		if r.Text() == text {
			return r, nil
		}
	}
	return ROLE_UNSPECIFIED, ErrInvalidRole.Wrapf("%q", text)
}

// IsStaff says whether a member's admin registers accounts of this role.
func (r Role) IsStaff() bool { return r >= ROLE_ADMIN && r <= ROLE_AUDITOR }
