package executor

import "golang.org/x/sys/cpu"

// instructions are the extensions of the instruction set that this processor has and
// this kernel lets programs use, of those by which numerical code chooses how it rounds.
func instructions() []string {
	var all []string
	for _, e := range []struct {
		name string
		has  bool
	}{
		{"sse4.1", cpu.X86.HasSSE41},
		{"avx", cpu.X86.HasAVX},
		{"f16c", cpu.X86.HasF16C},
		{"fma", cpu.X86.HasFMA},
		{"avx2", cpu.X86.HasAVX2},
		{"avx512f", cpu.X86.HasAVX512F},
		{"avx512dq", cpu.X86.HasAVX512DQ},
		{"avx512bf16", cpu.X86.HasAVX512BF16},
		{"amx", cpu.X86.HasAMXTile},
		{"asimdhp", cpu.ARM64.HasASIMDHP},
		{"fcma", cpu.ARM64.HasFCMA},
		{"sve", cpu.ARM64.HasSVE},
		{"sve2", cpu.ARM64.HasSVE2},
	} {
		if e.has {
			all = append(all, e.name)
		}
	}
	return all
}
