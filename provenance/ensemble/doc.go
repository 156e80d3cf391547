// Package ensemble says what the runs of an ensemble show together: statistics of each
// numeric result, agreement of the others, which plans were chosen and where they part,
// and who came to no result. It draws and writes that for people and programs.
//
// It executes nothing and reads no store; equal members give equal bytes, in whatever
// order they come.
package ensemble
