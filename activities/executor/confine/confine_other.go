//go:build !linux

package confine

// Works says whether this platform has what the package needs.
const Works = false
