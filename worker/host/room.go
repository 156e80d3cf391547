package host

import (
	"fmt"
	"strconv"

	"rlam/schemas"
)

// ReadRoom takes what there is for the actions that declare resources from the
// environment: RLAM_CPUS, and RLAM_MEMORY, a size such as 8GiB. Zero stands for what the
// machine or the container has.
func ReadRoom(getenv func(string) string) (cpus int, memory schemas.Size, err error) {
	if text := getenv("RLAM_CPUS"); text != "" {
		if cpus, err = strconv.Atoi(text); err != nil || cpus < 0 {
			return 0, 0, fmt.Errorf("reading the environment variable RLAM_CPUS: want a number of processors, not %q", text)
		}
	}
	if text := getenv("RLAM_MEMORY"); text != "" {
		if memory, err = schemas.ParseSize(text); err != nil {
			return 0, 0, fmt.Errorf("reading the environment variable RLAM_MEMORY: %w", err)
		}
	}
	return cpus, memory, nil
}
