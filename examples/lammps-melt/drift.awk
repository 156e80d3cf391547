# Compares two tables with the same first column, and prints for each row the greatest
# relative difference of the others. The first line of each is a header.
FNR == 1 { next }
NR == FNR { row[$1] = $0; rows++; next }
{
	if (!($1 in row)) wrong("only the second table has step " $1)
	split(row[$1], other)
	drift = 0
	for (i = 2; i <= NF; i++) {
		d = abs($i - other[i]); scale = abs($i) > abs(other[i]) ? abs($i) : abs(other[i])
		if (scale > 0 && d / scale > drift) drift = d / scale
	}
	if ($0 != row[$1]) differ = 1
	printf "step %d drift %.3g\n", $1, drift
	compared++
}
END {
	if (failed) exit 3
	if (compared != rows) wrong("the first table has " rows " steps and the second " compared)
	if (!differ) print "every row is the same"
}
function abs(x) { return x < 0 ? -x : x }
function wrong(why) { print why > "/dev/stderr"; failed = 1; exit 3 }
