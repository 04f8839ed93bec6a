package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// clockFails is by how much a clock may be off before CometBFT refuses the blocks of a server, and clockWarns when it is time to look.
	clockFails, clockWarns = 60 * time.Second, 5 * time.Second
	// leastDisk is the room without which a server can't go on.
	leastDisk = 1 << 30
	// goodFiles is how many open files a server may need, and leastFiles how many it needs at least.
	goodFiles, leastFiles = 8192, 1024
	// corePattern says what the kernel does with the memory of a program that crashed.
	corePattern = "/proc/sys/kernel/core_pattern"
)

// clock: it agrees with those of the other hospitals. Each of them sees its own clock in the answer of its gateway; the median outvotes
// one that is wrong.
func (f *facts) clock() Result {
	const remedy = "keep the clock by NTP: `timedatectl set-ntp true`, `chronyc tracking`"
	var offsets []time.Duration
	answered, _ := f.answered()
	for _, o := range answered {
		offsets = append(offsets, o.Told.Ahead)
	}
	if len(offsets) == 0 {
		if f.Server != nil && f.Server.BlockTime.Sub(f.At) > clockWarns {
			return fail(remedy, "the clock is behind the chain by %s", f.Server.BlockTime.Sub(f.At).Round(time.Second))
		}
		return unknown("run this again when another hospital answers", "no other hospital's gateway tells its time")
	}
	slices.Sort(offsets)
	off := offsets[len(offsets)/2]
	where := "ahead of"
	if off < 0 {
		where = "behind"
	}
	text := fmt.Sprintf("the clock is %s %s the median of %d hospitals", off.Abs().Round(10*time.Millisecond), where, len(offsets))
	switch {
	case off.Abs() >= clockFails:
		return fail(remedy, "%s; from %s on the others refuse this server's blocks", text, clockFails)
	case off.Abs() >= clockWarns:
		return warn(remedy, "%s", text)
	}
	return ok("%s", text)
}

// disk: there is room for what was promised. The cache gives way, so that its bytes count as free.
func (f *facts) disk() Result {
	if f.FilesErr != nil {
		return unknown("", "the configuration does not say how much is promised")
	}
	free, err := freeBytes(f.Home.Blobs())
	if err != nil {
		return fail("is the disk mounted?", "%v", err)
	}
	data, err := freeBytes(f.Home.Data())
	if err != nil {
		return fail("is the disk mounted?", "%v", err)
	}
	held, err := folderBytes(f.Home.Blobs())
	if err != nil {
		return fail("check the disk", "%v", err)
	}
	cached, err := folderBytes(f.Home.Cache())
	if err != nil {
		return fail("check the disk", "%v", err)
	}
	mirror, err := f.Files.Services.MirrorBytes()
	if err != nil {
		return fail("correct mirror_size in app.toml", "%v", err)
	}
	return judgeDisk(room{free: free, data: data, held: held, cached: cached, promised: f.Files.Services.Capacity + mirror})
}

// room is what there is on the disk, in bytes.
type room struct{ free, data, held, cached, promised uint64 }

func judgeDisk(r room) Result {
	const remedy = "add disk, or lower capacity and mirror_size in app.toml and retire what is too much"
	if least := min(r.free, r.data); least < leastDisk {
		return fail(remedy, "%s are free, less than %s: the server stops soon", sizeText(least), sizeText(leastDisk))
	}
	owed := r.promised - min(r.promised, r.held)
	if have := r.free + r.cached; have < owed {
		return warn(remedy, "%s of the %s that are promised are used and only %s are free", sizeText(r.held), sizeText(r.promised), sizeText(have))
	}
	return ok("%s of the %s that are promised are used, %s are free", sizeText(r.held), sizeText(r.promised), sizeText(r.free))
}

func freeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("%s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// folderBytes is what the files of a folder take; 0 for one that is not there.
func folderBytes(dir string) (uint64, error) {
	var sum uint64
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // files come and go while the server runs
		}
		if err != nil || entry.IsDir() {
			return err
		}
		var s unix.Stat_t
		if err := unix.Lstat(path, &s); err == nil {
			sum += uint64(s.Blocks) * 512
		}
		return nil
	})
	return sum, err
}

func sizeText(n uint64) string {
	switch {
	case n >= 1<<40:
		return fmt.Sprintf("%.1f TiB", float64(n)/(1<<40))
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// openFiles: the server may open as many files and connections as it needs.
func (f *facts) openFiles() Result {
	const remedy = "LimitNOFILE=65536 in the service's unit, or `ulimit -n` before `phrd start`"
	var limit uint64
	whose := "the server"
	if f.Server != nil && f.Server.Metrics["process_max_fds"] > 0 {
		limit = uint64(f.Server.Metrics["process_max_fds"])
	} else {
		var own unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
			return unknown("", "%v", err)
		}
		limit, whose = own.Max, "a server that is started from here"
	}
	switch {
	case limit < leastFiles:
		return fail(remedy, "%s may open %d files, needs %d", whose, limit, leastFiles)
	case limit < goodFiles:
		return warn(remedy, "%s may open %d files; with many clients it needs up to %d", whose, limit, goodFiles)
	}
	return ok("%s may open %d files", whose, limit)
}

// webhooks: applications of the hospital take what they are told.
func (f *facts) webhooks() Result {
	if f.Server == nil {
		return f.stopped()
	}
	if behind := f.Server.Metrics["phrd_gateway_webhooks_behind"]; behind > 0 {
		return warn("`phrd hospital webhook list` says which and why; what waits is not lost", "%.0f applications have taken no notice for over a minute", behind)
	}
	return ok("no application is behind with its notices")
}

// coreDumps: what a crash leaves on the disk holds no keys. The server turns its own core files off; only a kernel that hands the memory to
// another program does not care.
func (f *facts) coreDumps() Result {
	text, err := os.ReadFile(corePattern)
	if err != nil {
		return unknown("", "%v", err)
	}
	return judgeCorePattern(strings.TrimSpace(string(text)))
}

func judgeCorePattern(pattern string) Result {
	if !strings.HasPrefix(pattern, "|") {
		return ok("the server turns core files off")
	}
	if strings.Contains(pattern, "systemd-coredump") {
		return ok("systemd-coredump keeps to the limit of 0 that the server sets")
	}
	return warn("`sysctl kernel.core_pattern=core`, or a program that keeps to the limit, such as systemd-coredump",
		"after a crash the kernel hands the server's memory, with its keys, to %q", pattern)
}
