package consortium

// CheckAudited answers ErrInvalidScope unless the hospitals that an auditor is to see are
// numbers of members, ascending and distinct. None stands for all hospitals. Whether there
// are such members is for the caller to check.
func CheckAudited(hospitals []uint64) error {
	if len(hospitals) > MaxMembers {
		return ErrInvalidScope.Wrapf("got %d hospitals, want at most %d", len(hospitals), MaxMembers)
	}
	var last uint64
	for _, hospital := range hospitals {
		if hospital <= last || hospital > MaxMembers {
			return ErrInvalidScope.Wrapf("hospitals %v: want numbers of members, ascending and distinct", hospitals)
		}
		last = hospital
	}
	return nil
}

// Validate answers ErrInvalidAddress, ErrInvalidScope or ErrInvalidRole where nobody can be
// appointed so.
func (m *MsgAppointAuditor) Validate() error {
	if _, err := ParseAccount(m.Auditor); err != nil {
		return err
	}
	if m.Until <= 0 {
		return ErrInvalidRole.Wrapf("auditor until %d: the role has an end", m.Until)
	}
	return CheckAudited(m.Hospitals)
}

// IsAppointed says whether the members appointed the person, as an auditor.
func (s Staff) IsAppointed() bool { return s.Hospital == 0 }

// Audits is what of the log the person sees as an auditor; nil for other roles. Whom a
// hospital's admin registered sees what concerns that hospital, whom the members appointed
// what they said.
func (s Staff) Audits() *AuditScope {
	switch {
	case s.Role != ROLE_AUDITOR:
		return nil
	case !s.IsAppointed():
		return &AuditScope{Hospitals: []uint64{s.Hospital}}
	case len(s.Hospitals) == 0:
		return &AuditScope{All: true}
	}
	return &AuditScope{Hospitals: s.Hospitals}
}

// EndIsDue says whether the log is to tell of the end of the person's role, at its time.
func (s Staff) EndIsDue() bool { return s.Until != 0 && !s.Ended && !s.Revoked }

// validateAuditor checks the fields that only auditors have.
func (s Staff) validateAuditor() error {
	if s.Until < 0 || (s.Until != 0 || s.IsAppointed()) && s.Role != ROLE_AUDITOR {
		return ErrInvalidRole.Wrapf("%s of member %d until %d", s.Role.Text(), s.Hospital, s.Until)
	}
	if s.IsAppointed() && s.Until == 0 || s.Ended && s.Until == 0 {
		return ErrInvalidRole.Wrap("auditor without an end")
	}
	if len(s.Hospitals) > 0 && !s.IsAppointed() {
		return ErrInvalidScope.Wrapf("hospitals of an auditor of member %d", s.Hospital)
	}
	return CheckAudited(s.Hospitals)
}
