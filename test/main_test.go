package test

import (
	"testing"

	"rlam/test/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
