package executor

import "golang.org/x/sys/unix"

// processor is the processor's model.
func processor() string {
	name, _ := unix.Sysctl("machdep.cpu.brand_string")
	return name
}
