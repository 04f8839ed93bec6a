package storage

const (
	// MaxBatch is how many copies one message confirms or reports at most.
	MaxBatch = 100
	// MaxAttached is how many blocks travel with an object at most.
	MaxAttached = 8
	// MaxCopies is how many copies a rule asks for at most, where it does not ask for all domains.
	MaxCopies = 32
	// MaxPageSize is how many things a query lists at most.
	MaxPageSize = 200

	// MaxLossesPerBlock is how many silent nodes one block declares lost at most.
	MaxLossesPerBlock = 10
	// MaxRepairsPerBlock is how many objects one block looks at, at most, because nodes came or went.
	MaxRepairsPerBlock = 100
	// MaxShortfalls is how many objects that are not whole the health of the network counts at most.
	MaxShortfalls = 10_000

	// MaxChallenges is how many leaves a node is asked for in an epoch at most.
	MaxChallenges = 32
	// MaxProofsPerBlock is with how many nodes, each of at most MaxChallenges challenges, one block goes on with the steps of an epoch, at most.
	MaxProofsPerBlock = 8

	maxSize = 1 << 44

	defaultMinimum = 2
	defaultTarget  = 3

	minute = 60
	hour   = 60 * minute

	defaultInterval = 5 * minute
	defaultSuspect  = 15 * minute
	defaultLost     = hour
	limitInterval   = hour
	limitLost       = 30 * 24 * hour

	defaultEpoch      = 10 * minute
	defaultChallenges = 8
	limitEpoch        = 30 * 24 * hour
)

// classes are all classes of content, in the order of the default rules.
var classes = []string{"imaging", "document", "recording", "result", "other", "vault"}

// DefaultParams keep three copies of everything and ask for two before a store
// returns. A node that is silent for an hour is lost. Members may bring in any number
// of bytes. Every ten minutes each node is asked for eight leaves.
func DefaultParams() Params {
	p := Params{
		Copies:            make([]CopyRule, 0, len(classes)),
		HeartbeatInterval: defaultInterval, SuspectAfter: defaultSuspect, LostAfter: defaultLost,
		ChallengeInterval: defaultEpoch, ChallengeLeaves: defaultChallenges,
	}
	for _, class := range classes {
		p.Copies = append(p.Copies, CopyRule{Class: class, Minimum: defaultMinimum, Target: defaultTarget})
	}
	return p
}

// Validate answers ErrInvalidParams where a class has no rule or two, where a rule
// is for a class that does not exist, or where a number is outside its range.
func (p Params) Validate() error {
	rules := make(map[string]bool, len(p.Copies))
	for _, rule := range p.Copies {
		if err := rule.Validate(); err != nil {
			return err
		}
		if rules[rule.Class] {
			return ErrInvalidParams.Wrapf("class %q: second rule", rule.Class)
		}
		rules[rule.Class] = true
	}
	for _, class := range classes {
		if !rules[class] {
			return ErrInvalidParams.Wrapf("class %q: no rule", class)
		}
	}
	if len(rules) != len(classes) {
		return ErrInvalidParams.Wrapf("got rules for %d classes, want %d", len(rules), len(classes))
	}
	// Whoever is there beats in every epoch, so that one that gives no proof is told from one that is away.
	if p.ChallengeInterval != 0 && (p.ChallengeInterval < 2*p.HeartbeatInterval || p.ChallengeInterval > limitEpoch) {
		return ErrInvalidParams.Wrapf("challenge interval: got %d s, want 0, or %d to %d", p.ChallengeInterval, 2*p.HeartbeatInterval, limitEpoch)
	}
	if p.ChallengeLeaves < 1 || p.ChallengeLeaves > MaxChallenges {
		return ErrInvalidParams.Wrapf("challenge leaves: got %d, want 1 to %d", p.ChallengeLeaves, MaxChallenges)
	}
	return p.validateTimes()
}

// validateTimes keeps the times of heartbeats so far apart that one that is late makes
// no node suspect, and a network that stood still makes none lost, see [Clock.Now].
func (p Params) validateTimes() error {
	if p.HeartbeatInterval < 1 || p.HeartbeatInterval > limitInterval {
		return ErrInvalidParams.Wrapf("heartbeat interval: got %d s, want 1 to %d", p.HeartbeatInterval, limitInterval)
	}
	if p.LostAfter > limitLost {
		return ErrInvalidParams.Wrapf("lost after %d s, want at most %d", p.LostAfter, limitLost)
	}
	if p.SuspectAfter < 2*p.HeartbeatInterval || p.LostAfter/2 < p.SuspectAfter {
		return ErrInvalidParams.Wrapf("suspect after %d s, lost after %d s: want at least %d and twice as many",
			p.SuspectAfter, p.LostAfter, 2*p.HeartbeatInterval)
	}
	return nil
}

// Validate answers ErrInvalidParams where a number is outside its range.
func (r CopyRule) Validate() error {
	if r.Target > MaxCopies {
		return ErrInvalidParams.Wrapf("class %q: target %d, want at most %d", r.Class, r.Target, MaxCopies)
	}
	most := r.Target
	if most == 0 {
		most = MaxCopies
	}
	if r.Minimum < 1 || r.Minimum > most {
		return ErrInvalidParams.Wrapf("class %q: minimum %d, want 1 to %d", r.Class, r.Minimum, most)
	}
	return nil
}

// Rule answers the rule of a class, ErrInvalidPlacement where there is none.
func (p Params) Rule(class string) (CopyRule, error) {
	for _, rule := range p.Copies {
		if rule.Class == class {
			return rule, nil
		}
	}
	return CopyRule{}, ErrInvalidPlacement.Wrapf("class %q", class)
}
