package capacity

import (
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"rlam/schemas"
)

// Machine is what this process may use: the processors and the memory of the machine, or
// of the container that it runs in. Memory is the machine's in bytes; 0 if it isn't known,
// and then nothing bounds it.
func Machine(memory uint64) Room {
	r := Room{CPUs: runtime.NumCPU(), Memory: schemas.Size(min(memory, 1<<53))}
	if r.Memory == 0 {
		r.Memory = 1 << 53
	}
	groups, err := os.ReadFile("/proc/self/cgroup") // absent but on Linux
	if err != nil {
		return r
	}
	return r.within("/sys/fs/cgroup", string(groups))
}

// within is r, or less if control groups allow less: those that /proc/self/cgroup lists,
// see cgroups(7), and all above them. In a container the paths may lead nowhere; then the
// top is the container's own.
func (r Room) within(mount, groups string) Room {
	for line := range strings.Lines(groups) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, found := strings.Cut(rest, ":")
		if !found {
			continue
		}
		for at := path.Clean("/" + group); ; at = path.Dir(at) {
			switch {
			case controllers == "":
				if quota, period, ok := strings.Cut(word(path.Join(mount, at, "cpu.max")), " "); ok {
					r.CPUs = less(r.CPUs, quota, period)
				}
				r.Memory = lesser(r.Memory, word(path.Join(mount, at, "memory.max")))
			case strings.Contains(","+controllers+",", ",memory,"):
				r.Memory = lesser(r.Memory, word(path.Join(mount, "memory", at, "memory.limit_in_bytes")))
			case strings.Contains(","+controllers+",", ",cpu,"):
				r.CPUs = less(r.CPUs, word(path.Join(mount, "cpu", at, "cpu.cfs_quota_us")), word(path.Join(mount, "cpu", at, "cpu.cfs_period_us")))
			}
			if at == "/" {
				break
			}
		}
	}
	return r
}

func word(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "" // no such bound
	}
	return strings.TrimSpace(string(text))
}

// less is the number of whole processors that a quota of each period amounts to, one at least.
func less(cpus int, quota, period string) int {
	q, err := strconv.ParseFloat(quota, 64)
	p, errPeriod := strconv.ParseFloat(period, 64)
	if err != nil || errPeriod != nil || q <= 0 || p <= 0 {
		return cpus // "max", "-1" or nothing
	}
	return min(cpus, max(1, int(q/p)))
}

func lesser(size schemas.Size, text string) schemas.Size {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return size
	}
	return min(size, schemas.Size(n))
}
