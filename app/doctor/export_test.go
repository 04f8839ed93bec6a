package doctor

// For tests, which set what an examination would have gathered.
type (
	Facts       = facts
	ServerFacts = serverFacts
	OtherFacts  = otherFacts
	Room        = room
)

var (
	JudgeDisk        = judgeDisk
	JudgeCorePattern = judgeCorePattern
)

// NewRoom is what there is on a disk.
func NewRoom(free, data, held, cached, promised uint64) Room {
	return Room{free: free, data: data, held: held, cached: cached, promised: promised}
}

// Look makes one check.
func Look(name string, f *Facts) Result {
	for _, c := range checks {
		if c.name == name {
			return c.look(f)
		}
	}
	panic("no check " + name)
}

// Checks are the names of all.
func Checks() []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}
