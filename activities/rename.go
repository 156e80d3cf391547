package activities

import (
	"context"

	"rlam/activities/planner"
	"rlam/internal/canon"
	"rlam/internal/record"
)

// A planner that types a handle instead of referring to what has it means the artifact,
// not those bytes. So where a fork goes through recorded steps once more, a handle of
// what was made anew, or of an input with other data, stands for what is there now.

// rename notes that an artifact stands for another one.
func (c *chain) rename(old, now string) {
	if old == "" || old == now {
		return
	}
	for from, to := range c.renames { // of a fork of a fork
		if to == old {
			c.renames[from] = now
		}
	}
	c.renames[old] = now
}

// renew notes the artifacts of a repeated step that were made anew.
func (c *chain) renew(ctx context.Context, a *Activities, s *record.Step) error {
	if c.repeats.IsZero() {
		return nil
	}
	var was record.Step
	if err := record.Load(ctx, a.cfg.Store, c.repeats, &was); err != nil {
		return err
	}
	made := map[string]string{} // handles, by call and name
	for _, call := range s.Calls {
		for _, at := range call.Attempts {
			for _, art := range at.Artifacts {
				made[call.ID+"/"+art.Name] = art.Digest.String()
			}
		}
	}
	for _, call := range was.Calls {
		for _, at := range call.Attempts {
			for _, art := range at.Artifacts {
				if now, is := made[call.ID+"/"+art.Name]; is {
					c.rename(art.Digest.String(), now)
				}
			}
		}
	}
	c.repeats = canon.Digest{}
	return nil
}

// renamed is JSON with the handles replaced that stand for others; what is no JSON stays
// as it is.
func (c *chain) renamed(raw planner.Raw) planner.Raw {
	if len(c.renames) == 0 || len(raw) == 0 {
		return raw
	}
	v, err := canon.Decode(raw)
	if err != nil {
		return raw
	}
	changed := false
	v = c.replaced(v, &changed)
	if !changed {
		return raw
	}
	out, err := canon.Encode(v)
	if err != nil {
		return raw
	}
	return planner.Raw(out)
}

func (c *chain) replaced(v any, changed *bool) any {
	switch v := v.(type) {
	case string:
		if now, is := c.renames[v]; is {
			*changed = true
			return now
		}
	case []any:
		for i := range v {
			v[i] = c.replaced(v[i], changed)
		}
	case map[string]any:
		for name := range v {
			v[name] = c.replaced(v[name], changed)
		}
	}
	return v
}
