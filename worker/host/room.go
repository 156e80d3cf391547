package host

import (
	"fmt"
	"strconv"

	"rlam/schemas"
)

// Room is what a worker's attempts may take.
type Room struct {
	CPUs   int          // of those that run at once; what the machine or the container has if 0
	Memory schemas.Size // likewise
	Log    schemas.Size // of one attempt's log that is kept; 64 MiB if 0
}

// ReadRoom takes a Room from the environment: RLAM_CPUS, and RLAM_MEMORY and RLAM_LOG, which
// are sizes such as 8GiB.
func ReadRoom(getenv func(string) string) (Room, error) {
	var r Room
	var err error
	if text := getenv("RLAM_CPUS"); text != "" {
		if r.CPUs, err = strconv.Atoi(text); err != nil || r.CPUs < 0 {
			return Room{}, fmt.Errorf("reading the environment variable RLAM_CPUS: want a number of processors, not %q", text)
		}
	}
	for name, size := range map[string]*schemas.Size{"RLAM_MEMORY": &r.Memory, "RLAM_LOG": &r.Log} {
		if text := getenv(name); text != "" {
			if *size, err = schemas.ParseSize(text); err != nil {
				return Room{}, fmt.Errorf("reading the environment variable %s: %w", name, err)
			}
		}
	}
	return r, nil
}
